# Tries: to rename, replace and remove its own file at its first start
# Deserves: full
# Needs: a uid of its own

import contextlib
import os
import socket
import sys

for change in (lambda: os.rename(__file__, __file__ + ".away"), lambda: os.remove(__file__)):
    with contextlib.suppress(OSError):
        change()
with contextlib.suppress(OSError), open(__file__, "w") as file:
    file.write("raise SystemExit")


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
