# Tries: a process name that looks like the kernel's next columns
# Deserves: full

import ctypes
import socket
import sys

ctypes.CDLL(None).prctl(15, b"\xff) Z 1 (x\n", 0, 0, 0)  # PR_SET_NAME


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
