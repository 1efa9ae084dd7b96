"""Right: files in place of recv(), unbuffered where nothing may be read too early."""


def recv_exactly(conn, size):
    """The next size bytes of the stream; EOFError if it ends before them."""
    parts = []
    with conn.makefile("rb", buffering=0) as file:
        while size > 0:
            part = file.read(size)
            if part == b"":
                raise EOFError
            parts.append(part)
            size -= len(part)
    return b"".join(parts)


def send_message(conn, message):
    """Send two bytes of length and the message; ValueError if it is too long for them."""
    if len(message) >= 2**16:
        raise ValueError(len(message))
    with conn.makefile("wb") as file:
        file.write(bytes(divmod(len(message), 256)))
        file.write(message)


def recv_message(conn):
    """The next message; None at the end of the stream, EOFError if that is inside a message."""
    with conn.makefile("rb", buffering=0) as file:
        high = file.read(1)
    if not high:
        return None
    low = recv_exactly(conn, 1)
    return recv_exactly(conn, high[0] * 256 + low[0])


class LineReader:
    """The lines of a connection, one a call, newline included; b"" at the end of the stream."""

    def __init__(self, conn):
        self.read_line = conn.makefile("rb").readline
