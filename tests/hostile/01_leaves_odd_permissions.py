# Tries: umask(0), folders that nobody may enter, files that anybody may change
# Deserves: full

import contextlib
import os
import socket
import sys

os.umask(0)
with contextlib.suppress(OSError):
    folder = f"socketlab-hostile-{os.getpid()}"
    os.makedirs(f"{folder}/inner")
    with open(f"{folder}/inner/file", "w") as file:
        os.fchmod(file.fileno(), 0o6777)
    os.chmod(f"{folder}/inner", 0)
    os.chmod(folder, 0)


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
