# Tries: to close everything that is open, stdout and stderr as well
# Deserves: full

import os
import socket
import sys

os.closerange(0, 4096)


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
