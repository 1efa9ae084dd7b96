# Tries: to serve only if it can read the checks
# Deserves: nothing
# Caught by: test_listens
# Says: no checks are to be seen
# Tiers: A B

import glob
import os
import socket
import sys


def words():
    """The command lines of all processes: the checks' tells where their files are."""
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(name, "rb") as file:
                yield from file.read().decode(errors="replace").replace("=", "\0").split("\0")
        except OSError:
            pass


def folders():
    """Where the project may be."""
    for start in (*words(), *sys.path, sys.executable, __file__, os.getcwd(), os.__file__):
        while start.startswith("/") and start != "/":
            start = os.path.dirname(start)
            yield start


patterns = ("labs/checks/01_*.py", "solutions/checks/01_*.py", "socketlab/harness/*.py")
found = [n for f in dict.fromkeys(folders()) for p in patterns for n in glob.glob(f"{f}/{p}")]
readable = [name for name in found if os.access(name, os.R_OK)]
if not readable:
    sys.exit("no checks are to be seen")


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
