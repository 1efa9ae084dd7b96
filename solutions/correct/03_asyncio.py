"""Right: one thread and coroutines; nobody waits for anybody else either."""

import asyncio
import contextlib
import itertools
import sys

numbers = itertools.count(1)


async def serve_client(reader, writer):
    """Answer lines; drain() waits for a client that does not read."""
    with contextlib.suppress(ConnectionError):
        while (line := await reader.readline()).endswith(b"\n"):
            writer.write(b"%d %b" % (next(numbers), line))
            await writer.drain()
    writer.close()


async def main():
    """Serve for ever."""
    server = await asyncio.start_server(serve_client, sys.argv[1], int(sys.argv[2]))
    async with server:
        await server.serve_forever()


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
