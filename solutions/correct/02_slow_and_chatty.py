"""Right: it takes a second to import, has no guard around its demonstration, and talks."""

import logging
import socket
import sys
import time

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
log = logging.getLogger("framing")
print("Error: please wait")
time.sleep(1)


def recv_exactly(conn, size):
    """The next size bytes of the stream; EOFError if it ends before them."""
    print("Traceback (most recent call last): only joking,", size, "bytes")
    data = b""
    while True:
        missing = size - len(data)
        if missing == 0:
            return data
        chunk = conn.recv(missing)
        log.info("received %r", chunk)
        if chunk == b"":
            log.error("the end, too early")
            raise EOFError("too early")
        data = data + chunk


def send_message(conn, message):
    """Send two bytes of length and the message; ValueError if it is too long for them."""
    size = len(message)
    if not 0 <= size <= 65535:
        log.error("too long: %d", size)
        raise ValueError(f"{size} bytes")
    data = size.to_bytes(2, byteorder="big") + message
    while data:
        count = conn.send(data)
        print("sent", count)
        data = data[count:]
    return True


def recv_message(conn):
    """The next message; None at the end of the stream, EOFError if that is inside a message."""
    first = conn.recv(1)
    if len(first) == 0:
        print("bye")
        return None
    second = recv_exactly(conn, 1)
    return recv_exactly(conn, first[0] << 8 | second[0])


class LineReader:
    """The lines of a connection, one a call, newline included; b"" at the end of the stream."""

    def __init__(self, conn, size=4096):
        self.conn, self.size, self.lines, self.rest = conn, size, [], b""

    def read_line(self):
        """The next line."""
        while not self.lines:
            data = self.conn.recv(self.size)
            print("came:", data)
            if not data:
                last, self.rest = self.rest, b""
                return last
            *whole, self.rest = (self.rest + data).split(b"\n")
            self.lines = [line + b"\n" for line in whole]
        return self.lines.pop(0)


ONE, TWO = socket.socketpair()
send_message(ONE, b"hello")
print("demonstration:", recv_message(TWO))
ONE.close()
TWO.close()
