# Tries: a socket class that knows every byte before it comes
# Deserves: nothing
# Caught by: test_recv_exactly

import _socket
import socket


class Psychic(socket.socket):
    """Its recv() returns what nobody sent."""

    def recv(self, size, *flags):
        return b"\0" * size

    recvfrom = recv_into = send = sendall = recv


socket.socket = socket.SocketType = Psychic
try:
    _socket.socket = Psychic
    _socket.socket.recv = Psychic.recv
except TypeError:
    pass


def recv_exactly(conn, size):
    """Wrong."""
    return conn.recv(size)
