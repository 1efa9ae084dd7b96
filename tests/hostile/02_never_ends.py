# Tries: threads and an atexit function that never end, beside right functions
# Deserves: full

import atexit
import threading
import time

threading.Thread(target=time.sleep, args=(10**6,)).start()
atexit.register(time.sleep, 10**6)


def recv_exactly(conn, size):
    """Right."""
    data = b""
    while len(data) < size:
        if not (piece := conn.recv(size - len(data))):
            raise EOFError
        data += piece
    return data


def send_message(conn, message):
    """Right."""
    if len(message) > 65_535:
        raise ValueError
    conn.sendall(len(message).to_bytes(2, "big") + message)


def recv_message(conn):
    """Right."""
    if not (head := conn.recv(2)):
        return None
    head += recv_exactly(conn, 2 - len(head))
    return recv_exactly(conn, int.from_bytes(head, "big"))


class LineReader:
    """Right."""

    def __init__(self, conn):
        self.file = conn.makefile("rb")

    def read_line(self):
        """The next line."""
        return self.file.readline()
