# Tries: children that nobody waits for
# Deserves: full

import os
import socket
import sys

for _ in range(5):
    if os.fork() == 0:
        os._exit(0)


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
