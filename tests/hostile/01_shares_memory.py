# Tries: System V memory and queues, POSIX semaphores and shared memory left behind
# Deserves: full
# Tiers: A

import contextlib
import ctypes
import os
import socket
import sys

libc = ctypes.CDLL(None)
libc.shmget(0, 4096, 0o1600)
libc.semget(0, 1, 0o1600)
libc.msgget(0, 0o1600)
with contextlib.suppress(OSError):
    with open(f"/dev/shm/socketlab-hostile-{os.getpid()}", "w") as file:
        file.write("left behind")


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
