"""A client that connects to a listening program."""

from __future__ import annotations

import select
import socket
import sys

from socketlab import peers
from socketlab.harness.program import Program
from socketlab.harness.talker import Talker

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # nobody can connect to "every address"
CALM = 0.1  # seconds without a sign that more is taken
PIECE = 8192  # bytes


class Client(Talker):
    """A TCP client of a listening program. With `small_buffers`, the kernel keeps little for it,
    at both ends: a program that sends more than is read has to wait soon."""

    def __init__(self, program: Program, *, small_buffers: bool = False) -> None:
        program.clients += 1
        self.program, self.name = program, f"client {program.clients}"
        host, port = program.address or program.wait_listening()[0]
        self._note("connects")
        self.sock = _socket(host)
        if small_buffers:
            peers.small_buffers(self.sock)
            peers.small_segments(self.sock)
        try:
            self.sock.settimeout(program.patience.silence)
            self.sock.connect((EVERYWHERE.get(host, host), port))
        except OSError as error:
            self.sock.close()
            raise self._broken(error) from None
        super().__init__(program, self.name, self.sock)

    def pour(self, data: bytes) -> int:
        """Send and do not read, until the program leaves something unread, as it does when it
        owes too much (Linux; elsewhere: until nothing is taken for a while), or until all is
        sent and read. Returns the number of bytes sent."""
        self._note("sends and sends, and does not read")
        sent, takes = 0, True
        try:
            while sent < len(data) and takes:
                sent += self.sock.send(data[sent : sent + PIECE])
                takes = self._takes_more()
        except OSError as error:
            raise self._broken(error) from None
        return sent

    def _takes_more(self) -> bool:
        if sys.platform == "linux":
            try:
                peers.wait_read(self.sock, CALM)
            except TimeoutError:
                self.program.settle()  # it may be slow, or the machine
                return not peers.unread(self.sock)
        return bool(select.select([], [self.sock], [], CALM)[1])


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
