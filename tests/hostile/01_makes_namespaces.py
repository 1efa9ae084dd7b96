# Tries: namespaces, mounts, chroot and cgroups of its own
# Deserves: full

import contextlib
import ctypes
import glob
import os
import socket
import sys


def escape():
    """Whatever is allowed, in a child: what a server is in it must stay in."""
    libc = ctypes.CDLL(None, use_errno=True)
    for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000):
        libc.unshare(flag)
    for name in glob.glob("/proc/1/ns/*"):
        with contextlib.suppress(OSError):
            libc.setns(os.open(name, os.O_RDONLY), 0)
    with contextlib.suppress(OSError):
        os.mkdir("socketlab-hostile-mount")
    for kind in (b"tmpfs", b"proc", b"sysfs"):
        libc.mount(b"none", b"socketlab-hostile-mount", kind, 0, None)
    libc.mount(b"/", b"socketlab-hostile-mount", None, 0x1000, None)
    for folder in glob.glob("/sys/fs/cgroup/*/"):
        with contextlib.suppress(OSError), open(f"{folder}cgroup.procs", "w") as file:
            file.write(str(os.getpid()))
    with contextlib.suppress(OSError):
        os.chroot("socketlab-hostile-mount")


if os.fork() == 0:
    try:
        escape()
    finally:
        os._exit(0)
os.wait()


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
