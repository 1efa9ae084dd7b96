"""Right: every call runs an event loop of its own; the socket blocks again when it is over."""

import asyncio
from contextlib import contextmanager


@contextmanager
def nonblocking(conn):
    """The socket does not block meanwhile."""
    before = conn.gettimeout()
    conn.setblocking(False)
    try:
        yield asyncio.get_running_loop()
    finally:
        conn.settimeout(before)


async def exactly(conn, size):
    """The next size bytes."""
    data = b""
    with nonblocking(conn) as loop:
        while len(data) < size:
            piece = await loop.sock_recv(conn, size - len(data))
            if not piece:
                raise asyncio.IncompleteReadError(data, size)  # an EOFError
            data += piece
    return data


async def message_of(conn):
    """The next message."""
    with nonblocking(conn) as loop:
        high = await loop.sock_recv(conn, 1)
    if high:
        low = await exactly(conn, 1)
        return await exactly(conn, int.from_bytes(high + low, "big"))
    return None


async def send(conn, data):
    """Send all of it."""
    with nonblocking(conn) as loop:
        await loop.sock_sendall(conn, data)


def recv_exactly(conn, size):
    """The next size bytes of the stream; EOFError if it ends before them."""
    return asyncio.run(exactly(conn, size))


def send_message(conn, message):
    """Send two bytes of length and the message; ValueError if it is too long for them."""
    if len(message) > 65535:
        raise ValueError("too long")
    asyncio.run(send(conn, len(message).to_bytes(2, "big") + message))


def recv_message(conn):
    """The next message; None at the end of the stream, EOFError if that is inside a message."""
    return asyncio.run(message_of(conn))


class LineReader:
    """The lines of a connection, by asyncio's own StreamReader."""

    def __init__(self, conn):
        self.conn, self.ended = conn, False
        self.loop = asyncio.new_event_loop()
        self.reader = asyncio.StreamReader(limit=2**20, loop=self.loop)

    def read_line(self):
        """The next line."""
        return self.loop.run_until_complete(self.next_line())

    async def next_line(self):
        """Feed the reader until it has a line."""
        line = asyncio.ensure_future(self.reader.readline())
        await asyncio.sleep(0)
        while not line.done():
            with nonblocking(self.conn) as loop:
                piece = await loop.sock_recv(self.conn, 1000)
            if piece:
                self.reader.feed_data(piece)
            else:
                self.reader.feed_eof()
            await asyncio.sleep(0)
        return line.result()
