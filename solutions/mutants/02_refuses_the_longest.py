"""Mistake: takes 65,535 bytes for too many.

Caught by: test_lengths
Says: refuses a message that is not too long
Diagnosed as: refuses a message that is not too long
"""

import socket


def recv_exactly(conn, size):
    """The next size bytes of the stream; EOFError if it ends before them."""
    data = b""
    while len(data) < size:
        piece = conn.recv(size - len(data))  # never more than is still missing
        if not piece:
            raise EOFError(f"the stream ended after {len(data)} of {size} bytes")
        data += piece
    return data


def send_message(conn, message):
    """Send two bytes of length and the message; ValueError if it is too long for them."""
    if len(message) >= 65_535:
        raise ValueError("the message is too long")
    conn.sendall(len(message).to_bytes(2, "big") + message)


def recv_message(conn):
    """The next message; None at the end of the stream, EOFError if that is inside a message."""
    head = conn.recv(2)
    if not head:
        return None
    head += recv_exactly(conn, 2 - len(head))  # even two bytes can come apart
    return recv_exactly(conn, int.from_bytes(head, "big"))


class LineReader:
    """The lines of a connection, one a call, newline included; b"" at the end of the stream."""

    def __init__(self, conn):
        self.conn, self.buffer = conn, b""

    def read_line(self):
        """The next line."""
        while b"\n" not in self.buffer and (piece := self.conn.recv(1024)):
            self.buffer += piece
        line, newline, self.buffer = self.buffer.partition(b"\n")
        return line + newline


def main():
    """Send messages and lines over a connection, and show what arrives at its other end."""
    sock, conn = socket.socketpair()
    with sock, conn:
        for message in (b"one", b"", b"three"):
            send_message(sock, message)
        sock.sendall(b"a line\nthe last line")
        sock.shutdown(socket.SHUT_WR)
        print("messages:", [recv_message(conn) for _ in range(3)])
        reader = LineReader(conn)
        print("lines:", [reader.read_line() for _ in range(2)])


if __name__ == "__main__":
    main()
