"""Right: asyncio, a task for each connection, one thread."""

import asyncio
import sys


async def read_all(reader):
    """The whole reply."""
    return await reader.read()


async def talk(host, port, message):
    """One conversation: the reply. It reads while it sends."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        reading = asyncio.create_task(read_all(reader))
        writer.write(message)
        await writer.drain()
        writer.write_eof()
        return await reading
    finally:
        writer.close()


async def limited(deadline, *what):
    """The words for the outcome of one conversation."""
    try:
        async with asyncio.timeout_at(deadline):
            reply = await talk(*what)
    except OSError as error:  # TimeoutError, too
        return type(error).__name__
    return f"{len(reply)} bytes {reply[:40]!r}"


async def main():
    """Everybody at once."""
    host, timeout, lines, *ports = sys.argv[1:]
    deadline = asyncio.get_running_loop().time() + float(timeout)
    talks = [
        limited(deadline, host, port, f"I am connection {n}\n".encode() * int(lines))
        for n, port in enumerate(ports, 1)
    ]
    outcomes = await asyncio.gather(*talks)
    for number, outcome in enumerate(outcomes, 1):
        print(f"connection {number}: {outcome}")
    return int(any(not outcome[0].isdigit() for outcome in outcomes))


sys.exit(asyncio.run(main()))
