"""Right: a thread reads for each LineReader and puts the lines into a queue."""

import queue
import threading


def recv_exactly(conn, size):
    """The next size bytes of the stream; EOFError if it ends before them."""
    data = bytearray()
    for _ in range(size):
        byte = conn.recv(1)
        if not byte:
            raise EOFError(f"{len(data)} of {size}")
        data += byte
    return bytes(data)


def send_message(conn, message):
    """Send two bytes of length and the message; ValueError if it is too long for them."""
    high, low = divmod(len(message), 256)
    data = bytes([high, low]) + message  # ValueError: bytes must be in range(0, 256)
    sent = 0
    while sent < len(data):
        sent += conn.send(memoryview(data)[sent:])


def recv_message(conn):
    """The next message; None at the end of the stream, EOFError if that is inside a message."""
    high = conn.recv(1)
    return recv_exactly(conn, high[0] * 256 + recv_exactly(conn, 1)[0]) if high else None


class LineReader:
    """The lines of a connection, one a call, newline included; b"" at the end of the stream."""

    def __init__(self, conn):
        self.lines, self.over = queue.Queue(), False
        threading.Thread(target=self.collect, args=(conn,), daemon=True).start()

    def collect(self, conn):
        """Put each line into the queue, and b"" at the end."""
        line = b""
        while byte := conn.recv(1):
            line += byte
            if byte == b"\n":
                self.lines.put(line)
                line = b""
        self.lines.put(line)
        self.lines.put(b"")

    def read_line(self):
        """The next line."""
        if self.over:
            return b""
        line = self.lines.get()
        self.over = line == b""
        return line
