# Tries: limits so low that nothing more can be opened
# Deserves: nothing
# Caught by: test_listens
# Says: Too many open files

import resource
import socket
import sys

resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


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
