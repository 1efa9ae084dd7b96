# Tries: links to what is none of its business, folders that nobody may enter, files for everybody
# Deserves: full

import contextlib
import os
import socket
import sys

NAME = f"socketlab-hostile-{os.getpid()}"
os.umask(0)
for target in ("/etc/passwd", "..", "/", "/proc/self/exe", __file__):
    for link in (os.symlink, os.link):
        with contextlib.suppress(OSError):
            link(target, f"{NAME}-{link.__name__}-{len(target)}")
with contextlib.suppress(OSError):
    os.mkfifo(f"{NAME}-fifo")
with contextlib.suppress(OSError):
    os.makedirs(f"{NAME}/inner")
    with open(f"{NAME}/inner/file", "w") as file:
        os.fchmod(file.fileno(), 0o6777)
    os.chmod(f"{NAME}/inner", 0)
    os.chmod(NAME, 0)


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
