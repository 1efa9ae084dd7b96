"""Mistake: readlines() waits for the end of the stream.

Caught by: test_one_line
Says: Nothing came back
Diagnosed as: waits for the end of the stream
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
        with conn, conn.makefile("rb") as lines:
            for line in lines.readlines():
                if line.endswith(b"\n"):  # the last one may be unfinished
                    conn.sendall(b"%d %b" % (counter.count(), line))
    except ConnectionError:
        pass  # this client is gone; the others are none the worse for it


def serve_forever(listener):
    """Serve each client in a thread of its own, all with one counter. Return at Ctrl-C."""
    counter = Counter()
    try:
        while True:
            conn, _ = listener.accept()
            threading.Thread(target=serve_client, args=(conn, counter), daemon=True).start()
    except KeyboardInterrupt:
        pass  # daemon threads end with the program


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/03_threaded_server.py HOST PORT")
    with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
