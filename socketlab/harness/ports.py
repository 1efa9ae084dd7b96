"""Ports that checks start programs on, and whether a program could have had one."""

from __future__ import annotations

import os
import socket


def can_listen(host: str, port: int) -> bool:
    """Whether a careful server (one that sets SO_REUSEADDR) can listen there now."""
    with socket.socket() as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError:
            return False
    return True


def free_port(host: str) -> int:
    """A port that is free now. Somebody else may take it: ask `can_listen` after a failure."""
    with socket.socket() as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def somebody_listens(host: str, port: int) -> bool:
    """Whether a connection can be made to this address."""
    with socket.socket() as sock:
        return sock.connect_ex((host, port)) == 0
