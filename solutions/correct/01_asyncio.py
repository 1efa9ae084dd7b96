"""Right: an asyncio server. It serves clients at the same time, which nobody forbids."""

import asyncio
import contextlib
import sys


async def echo(reader, writer):
    """Send back what this client sends, then close its connection."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def main(host, port):
    """Serve for ever."""
    await asyncio.start_server(echo, host, port)
    await asyncio.Event().wait()  # serve_forever() would wait for the clients after Ctrl-C


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
