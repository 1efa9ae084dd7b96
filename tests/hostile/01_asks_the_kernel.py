# Tries: raw sockets, netlink, to watch files, to type into the terminal of whoever grades
# Deserves: full

import contextlib
import ctypes
import fcntl
import os
import socket
import sys
import tempfile

TIOCSTI = 0x5412

for family, protocol in (
    (socket.AF_INET, socket.IPPROTO_ICMP),
    (socket.AF_PACKET, socket.htons(3)),
    (socket.AF_NETLINK, 0),
):
    with contextlib.suppress(OSError):
        socket.socket(family, socket.SOCK_RAW, protocol)
with contextlib.suppress(OSError):
    socket.socket(socket.AF_UNIX).bind("\0socketlab-hostile")

libc = ctypes.CDLL(None)
watch = libc.inotify_init()
for folder in (
    "/",
    "/tmp",
    "/proc",
    "..",
    ".",
    os.path.dirname(os.__file__),
    tempfile.gettempdir(),
):
    libc.inotify_add_watch(watch, os.fsencode(folder), 0xFFF)

with contextlib.suppress(OSError):
    terminal = os.open("/dev/tty", os.O_RDWR)
    for letter in b"echo hostile\n":
        fcntl.ioctl(terminal, TIOCSTI, bytes([letter]))
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
