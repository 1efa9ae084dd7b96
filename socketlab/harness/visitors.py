"""Clients that come one after another and think before they speak, and servers that think before
they answer: the scenes of timelines."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence

from socketlab.harness.listener import Listener, finished
from socketlab.harness.program import Program
from socketlab.peers import SMALL, recv_exactly, small_segments

APART = 0.04  # seconds from one visitor to the next
THINK = 0.12  # seconds before each message but the first
LONGEST = 2.0  # seconds that somebody waits for the program: it has a place in the picture
PATIENT = 10.0  # seconds that a program that is a client is told to wait
LARGE = 1 << 20  # bytes: the kernel takes what a visitor says, though nobody reads it yet

Answer = int | Callable[[socket.socket], object]  # so many bytes, or what receives it
Conversation = Sequence[tuple[bytes, Answer]]


class Visitor(threading.Thread):
    """A client: it connects, sends each message and waits for its answer."""

    def __init__(self, address: tuple[str, int], name: str, conversation: Conversation) -> None:
        super().__init__(name=name)
        self.address, self.conversation = address, conversation
        self.connected, self.error = threading.Event(), ""

    def run(self) -> None:
        """Have the whole conversation, and leave."""
        with _socket_for(self.address) as sock:
            try:
                sock.connect(self.address)
                self.connected.set()
                self._talk(sock)
            except (OSError, EOFError, ValueError) as error:
                self.error = str(error) or type(error).__name__
                self.connected.set()

    def _talk(self, sock: socket.socket) -> None:
        for number, (message, answer) in enumerate(self.conversation):
            time.sleep(THINK if number else 0)
            if message:
                sock.sendall(message)
            if callable(answer):
                answer(sock)
            else:
                recv_exactly(sock, answer)


def _socket_for(address: tuple[str, int]) -> socket.socket:
    """A client's socket. Its kernel keeps little of what it does not read, and sends much."""
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGE)
    small_segments(sock)
    sock.settimeout(LONGEST)
    return sock


def visit(program: Program, *conversations: Conversation, names: Sequence[str] = ()) -> None:
    """One visitor for each conversation; they come a moment apart, so that their order is known.

    A conversation is a list of messages, each with the number of bytes that answer it, or with a
    function that receives the answer; an empty message is a silence. `names` are for the picture.
    """
    assert program.address
    visitors = []
    for number, conversation in enumerate(conversations):
        name = names[number] if names else "visitor"
        visitors.append(Visitor(program.address, name, conversation))
        visitors[-1].start()
        visitors[-1].connected.wait()
        time.sleep(APART)
    for visitor in visitors:
        visitor.join()
    if left := [visitor.error for visitor in visitors if visitor.error]:
        program.settle()  # it may be about to end, and say why
        raise program.failed(f"{len(left)} of {len(visitors)} clients had no answer: {left[0]}.")


class Host(threading.Thread):
    """A server's end of one connection: it gets a line, thinks, sends the line back, and ends its
    stream when the client has ended its own."""

    def __init__(self, sock: socket.socket, name: str, think: float) -> None:
        super().__init__(name=name)
        self.sock, self.think, self.error = sock, think, ""
        sock.settimeout(LONGEST)

    def run(self) -> None:
        """Have the whole conversation."""
        with self.sock:
            try:
                line = self._line()
                time.sleep(self.think)
                self.sock.sendall(line)
                while self.sock.recv(1024):
                    pass
            except TimeoutError:
                self.error = "waited in vain for the end of what the client sends"
            except OSError as error:
                self.error = f"found the connection broken: {type(error).__name__}"

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n") and (data := self.sock.recv(1024)):
            line += data
        return line


def receive(start: Callable[..., Program], **thinks: float) -> None:
    """Start a program that is a client, and be its servers: one connection for each of `thinks`,
    by the names that they have in the picture; each thinks for so many seconds."""
    with Listener() as listener:
        ports = [listener.port] * len(thinks)
        program = start(listener.host, PATIENT, 1, *ports)
        hosts = []
        for name, think in thinks.items():
            hosts.append(Host(listener.accept(program).sock, name.replace("_", " "), think))
            hosts[-1].start()
        for host in hosts:
            host.join()
        if left := [host.error for host in hosts if host.error]:
            program.settle()  # it may be about to end, and say why
            raise program.failed(f"{len(left)} of {len(hosts)} servers {left[0]}.")
        finished(program)
