# Tries: raw and packet sockets, netlink, and a name in the abstract namespace
# Deserves: full

import contextlib
import socket
import sys

for family, kind in (
    (socket.AF_INET, socket.SOCK_RAW),
    (socket.AF_PACKET, socket.SOCK_RAW),
    (socket.AF_NETLINK, socket.SOCK_RAW),
    (socket.AF_VSOCK, socket.SOCK_STREAM),
):
    with contextlib.suppress(OSError):
        socket.socket(family, kind, socket.IPPROTO_ICMP if family == socket.AF_INET else 0)
with contextlib.suppress(OSError):
    socket.socket(socket.AF_UNIX).bind("\0socketlab-hostile")


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
