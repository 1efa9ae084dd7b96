"""Mistake: never closes the connection; the accept loop still has a name for it.

Caught by: test_half_close
Says: the client waits for that
Diagnosed as: ends its thread with the socket open
"""

import socket
import sys
import threading


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
        lines = conn.makefile("rb")
        for line in lines:
            if line.endswith(b"\n"):
                conn.sendall(b"%d %b" % (counter.count(), line))
    except ConnectionError:
        pass


def serve_forever(listener):
    """Serve each client in a thread of its own, all with one counter. Return at Ctrl-C."""
    counter = Counter()
    try:
        while True:
            conn, _ = listener.accept()
            threading.Thread(target=serve_client, args=(conn, counter), daemon=True).start()
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
