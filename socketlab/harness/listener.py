"""A scripted server, for the checks of a program that is a client."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from socketlab import peers
from socketlab.harness.program import Program
from socketlab.harness.scene import Failed
from socketlab.harness.talker import Talker


class Listener:
    """A server whose every step a check writes. `host` and `port` are for the program.

    It listens from the start, so that a program may connect at once. `accept(program)` returns
    the server's end of the next connection: a Talker.
    """

    def __init__(self, host: str = "127.0.0.1", *, small_buffers: bool = False) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family)
        if small_buffers:
            peers.small_buffers(self.sock)
        self.sock.bind((host, 0))
        self.sock.listen(1024)
        self.host, self.port = self.sock.getsockname()[:2]
        self.accepted: list[Talker] = []

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def accept(self, program: Program) -> Talker:
        """The server's end of the program's next connection. Failed if none comes in time."""
        number = len(self.accepted) + 1
        name = f"server {self.number or number}"
        program.steps.add(f"{name} waits until the program connects")
        end, half, busy = program.patience.deadline(), program.patience.silence / 2, None
        while not select.select([self.sock], [], [], 0.02)[0]:
            if program.exit_code is not None and not select.select([self.sock], [], [], 0)[0]:
                raise program.failed(f"It ended, and connection {number} never came.")
            if busy is None and time.monotonic() > end - half:  # by now it has started
                busy = program.cpu_seconds()
            if time.monotonic() > end:
                program.look_inside(busy or 0.0, half)
                program.patience.silence_was_full()
                happened = f"Connection {number} did not come in time."
                raise program.failed(happened, signs=("no connection",))
        conn, _ = self.sock.accept()
        self.accepted.append(Talker(program, name, conn))
        self.accepted[-1].came = "reached the server"
        return self.accepted[-1]

    number = 0  # a check with several listeners may number them; else its connections are

    def accept_all(self, program: Program, count: int) -> list[Talker]:
        """The server's ends of so many connections, all of them open before any is served."""
        return [self.accept(program) for _ in range(count)]

    def nobody(self, program: Program, look: Callable[[], object] = lambda: None) -> None:
        """Failed if a connection waits to be accepted."""
        look()
        if select.select([self.sock], [], [], 0)[0]:
            raise program.failed("It connects once more than it was asked to.")

    def close(self) -> None:
        """Stop listening and leave every conversation. From now on connecting is refused."""
        for talker in self.accepted:
            talker.sock.close()
        self.sock.close()


def ended(program: Program, limit: float = 0.0) -> int:
    """The exit code of the program, as soon as it has one. Failed if it still runs after `limit`
    seconds (without one: after a silence)."""
    program.steps.add("the program is waited for")
    wait = limit or program.patience.silence
    before = program.cpu_seconds()
    if not program.wait_ended(wait):
        program.look_inside(before, wait)
        program.patience.silence_was_full()
        raise program.failed(f"After {wait:g} seconds it still runs.", signs=("still runs",))
    assert program.exit_code is not None
    return program.exit_code


def finished(program: Program, limit: float = 0.0) -> str:
    """What the program wrote to stdout, when it has ended with exit code 0. Failed otherwise."""
    if code := ended(program, limit):
        raise program.failed(f"It ended with exit code {code}.", wanted="exit code 0")
    return program.stdout


__all__ = ["Failed", "Listener", "ended", "finished"]
