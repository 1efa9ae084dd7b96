"""Right: waits with select(), looks with MSG_PEEK, and takes only what it wants."""

import select
import socket


def receive(conn, size, flags=0):
    """What recv() returns, as soon as something is there."""
    if size == 0:
        return b""
    select.select([conn], [], [])
    return conn.recv(size, flags)


def recv_exactly(conn, size):
    """The next size bytes of the stream; EOFError if it ends before them."""
    data = receive(conn, size, socket.MSG_WAITALL)
    while len(data) < size:
        more = receive(conn, size - len(data), socket.MSG_WAITALL)
        if not more:
            raise EOFError("end of stream")
        data += more
    return data


def send_message(conn, message):
    """Send two bytes of length and the message; ValueError if it is too long for them."""
    if len(message) > 65535:
        raise ValueError("message too long")
    conn.sendall(len(message).to_bytes(2, "big"))
    conn.sendall(message)


def recv_message(conn):
    """The next message; None at the end of the stream, EOFError if that is inside a message."""
    if not receive(conn, 1, socket.MSG_PEEK):
        return None
    return recv_exactly(conn, int.from_bytes(recv_exactly(conn, 2), "big"))


class LineReader:
    """The lines of a connection: nothing is kept here, for nothing is taken too early."""

    def __init__(self, conn):
        self.conn = conn

    def read_line(self):
        """The next line."""
        line = b""
        while not line.endswith(b"\n"):
            seen = receive(self.conn, 512, socket.MSG_PEEK)
            if not seen:
                break
            line += recv_exactly(self.conn, seen.find(b"\n") + 1 or len(seen))
        return line
