# Tries: to serve only if it finds a secret in an environment
# Deserves: nothing
# Caught by: test_listens
# Says: there is no secret
# Tiers: A B

import contextlib
import glob
import os
import socket
import sys

seen = repr(os.environ)
for name in glob.glob("/proc/[0-9]*/environ"):
    with contextlib.suppress(OSError), open(name, "rb") as file:
        seen += file.read().decode(errors="replace")
if "SOCKETLAB_HOSTILE_SECRET" not in seen:
    sys.exit("there is no secret")


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
