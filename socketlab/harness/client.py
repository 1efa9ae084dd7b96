"""A client that connects to a listening program."""

from __future__ import annotations

import socket

from socketlab import peers
from socketlab.harness.program import Program
from socketlab.harness.talker import Talker

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # nobody can connect to "every address"


class Client(Talker):
    """A TCP client of a listening program. With `small_buffers`, the kernel keeps little for it:
    a program that sends more than is read has to wait soon."""

    def __init__(self, program: Program, *, small_buffers: bool = False) -> None:
        program.clients += 1
        self.program, self.name = program, f"client {program.clients}"
        host, port = program.address or program.wait_listening()[0]
        self._note("connects")
        self.sock = _socket(host)
        if small_buffers:
            peers.small_buffers(self.sock)
        try:
            self.sock.settimeout(program.patience.silence)
            self.sock.connect((EVERYWHERE.get(host, host), port))
        except OSError as error:
            self.sock.close()
            raise self._broken(error) from None
        super().__init__(program, self.name, self.sock)


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
