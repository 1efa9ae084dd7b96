# Tries: to let a child serve, and end itself
# Deserves: nothing
# Caught by: test_listens
# Says: exit code 0

import os
import socket
import sys

if os.fork():
    os._exit(0)
os.setsid()


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
