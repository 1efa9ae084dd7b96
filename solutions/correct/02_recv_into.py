"""Right: fills a buffer with recv_into(), packs with struct, sends both parts with sendmsg()."""

import socket
import struct

LENGTH = struct.Struct("!H")


def recv_exactly(conn, size):
    """The next size bytes of the stream; EOFError if it ends before them."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = conn.recv_into(view, flags=0)
        if not count:
            raise EOFError(f"{len(view)} bytes are missing")
        view = view[count:]
    return bytes(data)


def send_message(conn, message):
    """Send two bytes of length and the message; ValueError if it is too long for them."""
    try:
        head = LENGTH.pack(len(message))
    except struct.error:
        raise ValueError("too long") from None
    sent = conn.sendmsg([head, message])
    conn.sendall((head + message)[sent:])


def recv_message(conn):
    """The next message; None at the end of the stream, EOFError if that is inside a message."""
    first = conn.recv(1)
    if first == b"":
        return None
    return recv_exactly(conn, *LENGTH.unpack(first + recv_exactly(conn, 1)))


class LineReader:
    """The lines of a connection, one a call, newline included; b"" at the end of the stream."""

    def __init__(self, conn):
        self.conn = conn
        self.data = bytearray()
        self.searched = 0

    def read_line(self):
        """The next line; what was searched once is not searched again."""
        space = bytearray(65536)
        while (end := self.data.find(b"\n", self.searched) + 1) == 0:
            self.searched = len(self.data)
            count = self.conn.recv_into(space)
            if count == 0:
                end = len(self.data)
                break
            self.data += space[:count]
        line, self.searched = bytes(self.data[:end]), 0
        del self.data[:end]
        return line


if __name__ == "__main__":
    a, b = socket.socketpair()
    with a, b:
        send_message(a, b"hello")
        print(recv_message(b))
