# Tries: output without end, while it serves rightly
# Deserves: full

import contextlib
import os
import socket
import sys
import threading


def write():
    """A little at a time: the checks of idleness want a program that sleeps."""
    with contextlib.suppress(OSError):
        os.write(1, b"A line that nobody reads.\n" * 100_000)


threading.Thread(target=write).start()


def serve_forever(host, port):
    """Echo, one client after another."""
    listener = socket.create_server((host, port))
    while True:
        conn, _ = listener.accept()
        with conn:
            try:
                while data := conn.recv(65536):
                    conn.sendall(data)
            except ConnectionError:
                pass


serve_forever(sys.argv[1], int(sys.argv[2]))
