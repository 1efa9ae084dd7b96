# Tries: to say that it has ended, in the name of whoever keeps it, and to go on
# Deserves: all but test_ctrl_c
# Caught by: test_ctrl_c
# Says: The program still runs

import contextlib
import ctypes
import os
import signal
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD = 438


def forge(*_):
    """On every socket of its ancestors that it can get hold of."""
    for pid in {os.getppid(), 1}:
        with contextlib.suppress(OSError):
            keeper = os.pidfd_open(pid)
            for number in range(256):
                stolen = libc.syscall(PIDFD_GETFD, keeper, number, 0)
                if stolen >= 0:
                    with contextlib.suppress(OSError):
                        os.write(stolen, b"ended 0\n")
        libc.ptrace(16, pid, None, None)  # PTRACE_ATTACH


signal.signal(signal.SIGINT, forge)


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
