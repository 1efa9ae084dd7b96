# Tries: symbolic and hard links beside it, to what is none of its business
# Deserves: full

import contextlib
import os
import socket
import sys

for target in ("/etc/passwd", "..", "/", "/proc/self/exe", __file__):
    for link in (os.symlink, os.link):
        with contextlib.suppress(OSError):
            link(target, f"socketlab-hostile-{os.getpid()}-{link.__name__}-{len(target)}")
with contextlib.suppress(OSError):
    os.mkfifo(f"socketlab-hostile-{os.getpid()}-fifo")


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
