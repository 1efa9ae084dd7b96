"""A client that talks to a program, notes each step, and says what went wrong."""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from socketlab.harness.program import Program
from socketlab.harness.scene import Failed, difference, show

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # nobody can connect to "every address"
END = 'b"" (the end of the stream)'
EARLY = "The program closed the connection too early."
BROKEN = {
    ConnectionRefusedError: "The connection was refused: nobody listens any more.",
    ConnectionResetError: EARLY,  # it closed before it had read all, or before all was sent
    ConnectionAbortedError: EARLY,
    BrokenPipeError: EARLY,
    TimeoutError: "The connection was not made in time.",
}


@dataclass
class _Talk:
    """One exchange: what is sent, what must come back, what has come back so far."""

    sent: bytes = b""
    wanted: bytes = b""
    got: bytearray = field(default_factory=bytearray)

    @property
    def missing(self) -> int:
        return len(self.wanted) - len(self.got)

    def take(self, chunk: bytes) -> bool:
        """Keep what came; whether it is what was wanted."""
        at = len(self.got)
        self.got += chunk
        return self.wanted[at : len(self.got)] == chunk

    def seen(self) -> dict[str, Any]:
        """For the report."""
        return {"sent": self.sent, "got": bytes(self.got), "wanted": self.wanted}


class Client:
    """A TCP client of a listening program. Each call raises Failed if the program lets it down."""

    def __init__(self, program: Program) -> None:
        program.clients += 1
        self.program, self.name, self._cpu = program, f"client {program.clients}", 0.0
        host, port = program.address or program.wait_listening()[0]
        self._note("connects")
        try:
            target = (EVERYWHERE.get(host, host), port)
            self.sock = socket.create_connection(target, program.patience.silence)
        except OSError as error:
            raise self._broken(error) from None
        self.sock.setblocking(False)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    # What a client does

    def send(self, data: bytes) -> None:
        """Send all of `data`, without a look at what comes back."""
        self.exchange(data, b"")

    def expect(self, wanted: bytes) -> None:
        """Receive exactly `wanted`, in however many pieces it comes."""
        self._note(f"waits for {show(wanted)}")
        self._run(_Talk(wanted=wanted))

    def exchange(self, data: bytes, wanted: bytes) -> None:
        """Send all of `data` and receive exactly `wanted`, both at once, so that neither side
        waits for the other for ever."""
        self._note(f"sends {show(data)}")
        self._run(_Talk(data, wanted))

    def finish(self) -> None:
        """Say that nothing more will be sent (a half-close); the client still listens."""
        self._note("is done sending: shutdown(SHUT_WR)")
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._broken(error) from None

    def expect_end(self) -> None:
        """Receive the end of the stream, and not one byte more."""
        self._note("waits for the end of the stream")
        if not self._wait(sending=False, receiving=True)[0]:
            raise self._silent("The connection stays open.", got="nothing", wanted=END)
        try:
            extra = self.sock.recv(65536)
        except OSError as error:
            raise self._broken(error, wanted=END) from None
        if extra:
            raise self._failed("More came back than was sent.", got=extra, wanted=END)

    def unasked(self, limit: float) -> bytes:
        """What the program sends before the end of the stream, or before `limit` seconds pass."""
        self._note("listens, without a word")
        try:
            readable, _, _ = select.select([self.sock], [], [], limit)
            return self.sock.recv(65536) if readable else b""
        except OSError:
            return b""

    def close(self) -> None:
        """Leave in the ordinary way."""
        self._note("closes its connection")
        self.sock.close()

    def reset(self) -> None:
        """Leave without a goodbye: close() sends a reset, and the server's recv() raises."""
        self._note("resets its connection")
        form = "hh" if sys.platform == "win32" else "ii"  # struct linger: on, for 0 seconds
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
        self.sock.close()

    # How it does it

    def _run(self, talk: _Talk) -> None:
        left = memoryview(talk.sent)
        while left or talk.missing:
            readable, writable = self._wait(bool(left), bool(talk.missing))
            if not readable and not writable:
                raise self._silent(self._nothing(talk), **talk.seen())
            try:
                if writable:
                    left = left[self.sock.send(left[:65536]) :]
                if readable:
                    self._take(talk, self.sock.recv(talk.missing))
            except OSError as error:
                raise self._broken(error, **talk.seen()) from None

    def _take(self, talk: _Talk, chunk: bytes) -> None:
        if not chunk:
            raise self._failed(EARLY, **talk.seen())
        if not talk.take(chunk):
            where = difference(bytes(talk.got), talk.wanted)
            raise self._failed(f"The wrong bytes came back: {where}.", **talk.seen())

    def _wait(self, sending: bool, receiving: bool) -> tuple[bool, bool]:
        """Whether the socket can be read and can be written, as soon as one of them is so."""
        reads = [self.sock] if receiving else []
        writes = [self.sock] if sending else []
        end = self.program.patience.deadline()
        readable, writable, _ = select.select(reads, writes, [], min(0.1, _left(end)))
        if not readable and not writable:
            self._cpu = self.program.cpu_seconds()  # does it wait, or is it busy? see _silent
            readable, writable, _ = select.select(reads, writes, [], _left(end))
        return bool(readable), bool(writable)

    def _note(self, text: str) -> None:
        self.program.steps.add(f"{self.name} {text}")

    # How it fails

    def _nothing(self, talk: _Talk) -> str:
        seconds = f"{self.program.patience.silence:g} seconds"
        if not talk.got:
            return f"Nothing came back for {seconds}."
        some, all_ = f"{len(talk.got):,}", f"{len(talk.wanted):,}"
        return f"{some} of {all_} bytes came back, then nothing for {seconds}."

    def _silent(self, happened: str, **seen: bytes | str) -> Failed:
        patience = self.program.patience
        self.program.look_inside(self._cpu, patience.silence)
        patience.silence_was_full()
        return self.program.failed(happened, **seen)

    def _broken(self, error: OSError, **seen: bytes | str) -> Failed:
        happened = f"The connection broke ({type(error).__name__})."
        return self._failed(BROKEN.get(type(error), happened), **seen)

    def _failed(self, happened: str, **seen: bytes | str) -> Failed:
        self.program.settle()  # a program that dies closes its sockets first: wait for its end
        return self.program.failed(happened, **seen)


def _left(end: float) -> float:
    return max(0.0, end - time.monotonic())
