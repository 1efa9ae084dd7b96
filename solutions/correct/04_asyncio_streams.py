"""Right: coroutines, and drain() where a client does not read; exit code 3 after Ctrl-C."""

import asyncio
import contextlib
import sys


async def converse(reader, writer):
    """One client."""
    with contextlib.suppress(OSError):
        while data := await reader.read(1_000_000):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(host, port):
    """Until somebody says stop."""
    await asyncio.start_server(converse, host, port, limit=4096)
    await asyncio.Event().wait()


try:
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
except KeyboardInterrupt:
    sys.exit(3)
