"""Right: a class does the work, a generator makes the lines; no function is a plain one."""

from functools import partial


class TooLongError(ValueError):
    """A message that two bytes cannot count."""


class StreamEndedError(EOFError):
    """An end where none should be."""


class Stream:
    """A connection that is read by generators."""

    def __init__(self, conn):
        self.conn = conn

    def pieces(self, size):
        """Pieces that come to size bytes together."""
        while size:
            piece = self.conn.recv(min(size, 4096))
            if not piece:
                raise StreamEndedError(size)
            yield piece
            size -= len(piece)

    def exactly(self, size):
        """So many bytes."""
        return b"".join(self.pieces(size))

    def message(self):
        """The next message, or None."""
        for head in iter(partial(self.conn.recv, 2), b""):
            rest = self.exactly(1) if len(head) == 1 else b""
            return self.exactly(int.from_bytes(head + rest, "big"))

    def lines(self):
        """All lines, and then nothing but ends."""
        parts = [b""]
        while piece := self.conn.recv(13):
            first, *others = piece.split(b"\n")
            parts.append(first)
            for other in others:
                yield b"".join(parts) + b"\n"
                parts = [other]
        yield b"".join(parts)
        while True:
            yield b""


def _call(name, conn, *args):
    return getattr(Stream(conn), name)(*args)


recv_exactly = partial(_call, "exactly")
recv_message = partial(_call, "message")


class Sender:
    """Called like a function."""

    def __call__(self, conn, message):
        """Send a message."""
        if len(message) > 0xFFFF:
            raise TooLongError(len(message))
        conn.sendall(b"%c%c%b" % (len(message) >> 8, len(message) & 255, message))
        return len(message)


send_message = Sender()


class LineReader:
    """The lines of a connection."""

    def __init__(self, conn):
        self._next = Stream(conn).lines().__next__

    def read_line(self):
        """The next line."""
        return self._next()
