"""Right: a Protocol of asyncio, which pauses reading while its transport owes a lot."""

import asyncio
import sys


class Echo(asyncio.Protocol):
    """The conversation with one client."""

    def connection_made(self, transport):
        """Remember whom to answer."""
        self.transport = transport
        transport.set_write_buffer_limits(high=200_000)

    def data_received(self, data):
        """Send it back, sooner or later."""
        self.transport.write(data)

    def pause_writing(self):
        """Too much is owed."""
        self.transport.pause_reading()

    def resume_writing(self):
        """Little is owed."""
        if not self.transport.is_closing():
            self.transport.resume_reading()


async def main():
    """Serve for ever."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, sys.argv[1], int(sys.argv[2]), backlog=200)
    async with server:
        await server.serve_forever()


asyncio.run(main())
