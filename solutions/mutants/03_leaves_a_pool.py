"""Mistake: a pool in a with block, which waits for its clients at Ctrl-C.

Caught by: test_ctrl_c
Says: The program still runs
Diagnosed as: waits for its pool before it ends
"""

import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor


class Counter:
    """Gives out 1, 2, 3, ...: each number once, however many threads ask."""

    def __init__(self):
        self.number, self.lock = 0, threading.Lock()

    def count(self):
        """One more: its number."""
        with self.lock:
            self.number += 1
            return self.number


def serve_client(conn, counter):
    """Answer each line with its number and itself, until the client has no more to say."""
    try:
        with conn, conn.makefile("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):  # the last one may be unfinished
                    conn.sendall(b"%d %b" % (counter.count(), line))
    except ConnectionError:
        pass  # this client is gone; the others are none the worse for it


def serve_forever(listener):
    """Serve each client in a thread of its own, all with one counter. Return at Ctrl-C."""
    counter = Counter()
    try:
        with ThreadPoolExecutor(100) as pool:
            while True:
                conn, _ = listener.accept()
                pool.submit(serve_client, conn, counter)
    except KeyboardInterrupt:
        pass


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/03_threaded_server.py HOST PORT")
    with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
