# Tries: nothing: it is right, and writes warnings to stderr
# Deserves: full

import socket
import sys
import warnings

warnings.warn("I am about to serve", stacklevel=1)
print("Traceback (most recent call last):", file=sys.stderr)


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
