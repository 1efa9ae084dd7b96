# Tries: to reach listeners that it was not told to talk to (TCP and UDP)
# Deserves: full

import contextlib
import socket
import sys
import threading

PORT = 0  # the test says which


def call_out():
    """To whoever listens outside of this program's own place."""
    for address in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError):
            socket.create_connection((address, PORT), 1).sendall(b"socketlab-hostile")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"socketlab-hostile", ("127.0.0.1", PORT))


threading.Thread(target=call_out).start()


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
