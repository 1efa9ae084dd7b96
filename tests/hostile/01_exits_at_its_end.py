# Tries: os._exit(0) and a lot of output in atexit
# Deserves: full

import atexit
import os
import socket
import sys


def leave():
    """Whatever happened, it ends well."""
    print("all checks pass\n" * 100_000)
    os._exit(0)


atexit.register(leave)


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
