"""One end of a connection with a program: notes each step, and says what went wrong."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from socketlab import peers
from socketlab.harness.program import Program
from socketlab.harness.scene import Failed, agreeing, difference, show

END = 'b"" (the end of the stream)'
EARLY = "The program closed the connection too early."
RESET = "The program's system reset the connection: it was closed too early."
MOST = 64_000_000  # bytes that are received for one question; no lab needs so many
LONG, ASIDE = 40, 16  # bytes: of a longer value the report shows so many around the difference
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


class Talker:
    """This end of a connection with a program. Each call raises Failed if the program lets it
    down. `sock` is the socket; it does not block."""

    came = "came back"  # what bytes did that arrive here; a server's end says it differently

    def __init__(self, program: Program, name: str, sock: socket.socket) -> None:
        self.program, self.name, self.sock, self._cpu = program, name, sock, 0.0
        sock.setblocking(False)

    def __enter__(self) -> Self:
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
            raise self._silent(
                "The connection stays open.", got="nothing", wanted=END, signs=("stays open",)
            )
        try:
            extra = self.sock.recv(65536)
        except OSError as error:
            raise self._no_end(error) from None
        if extra:
            more = "was sent" if self.came == "came back" else "was wanted"
            raise self._failed(
                f"More {self.came} than {more}.", got=extra, wanted=END, signs=("too much",)
            )

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
        peers.reset_on_close(self.sock)
        self.sock.close()

    # What an awkward peer does

    def send_byte_by_byte(self, data: bytes) -> None:
        """Send each byte when the program has read the one before (on Linux; else just apart)."""
        self._note(f"sends {show(data)}, byte by byte")
        self._peer(lambda: peers.send_apart(self.sock, peers.byte_by_byte(data), self._silence))

    def send_in_pieces(self, *pieces: bytes) -> None:
        """Send each piece when the program has read the one before (on Linux; else just apart)."""
        self._note(f"sends in {len(pieces)} pieces: {', '.join(map(repr, pieces))}"[:200])
        self._peer(lambda: peers.send_apart(self.sock, pieces, self._silence))

    def send_glued(self, *messages: bytes) -> None:
        """Send several messages so that they are all there before the program reads the first."""
        self._note(f"sends {len(messages)} messages at once: {show(b''.join(messages))}")
        with self.program.paused():
            self._peer(lambda: self._glue(messages))

    def _glue(self, messages: Iterable[bytes]) -> None:
        for message in messages:
            peers.send_at_once(self.sock, message, self._silence)
        peers.wait_arrived(self.sock, self._silence)

    def fill(self, most: int = 64_000_000) -> int:
        """Send and never read, until the program takes no more. Returns the number of bytes sent;
        Failed if it takes `most` bytes."""
        self._note("sends and sends, and reads nothing")
        sent = 0
        try:
            sent = peers.fill(self.sock, most)
        except OSError as error:
            raise self._broken(error) from None
        if sent >= most:
            happened = f"It took {most:,} bytes from a client that reads nothing."
            raise self._failed(happened, signs=("unbounded",))
        return sent

    def receive(self, nbytes: int) -> bytes:
        """Exactly so many bytes, whatever they are."""
        self._note(f"waits for {nbytes:,} bytes")
        return self.gather(b"", lambda got: nbytes - len(got), f"{nbytes:,} bytes")

    def receive_until(self, end: bytes) -> bytes:
        """What comes up to `end`, and `end` itself. Nothing after it is read."""
        self._note(f"waits for what ends in {end!r}")
        wanted = f"something that ends in {end!r}"
        return self.gather(b"", lambda got: not got.endswith(end), wanted)

    def receive_all(self) -> bytes:
        """Everything up to the end of the stream."""
        self._note("reads up to the end of the stream")
        got = bytearray()
        while chunk := self._read(65536, got, END):
            got += chunk
            self._bounded(got, END)
        return bytes(got)

    def gather(self, sent: bytes, missing: Callable[[bytearray], int], wanted: str) -> bytes:
        """Send all of `sent` and receive, both at once, until nothing is missing of what came:
        `missing(got)` is how many bytes are, at least. `wanted` says it in words."""
        if sent:
            self._note(f"sends {show(sent)}")
        left, got = memoryview(sent), bytearray()
        while (count := int(missing(got))) or left:
            readable, writable = self._wait(bool(left), count > 0)
            seen = {"got": bytes(got) or "nothing", "wanted": wanted}
            if not readable and not writable:
                raise self._silent(self._nothing(_Talk(got=got)), **seen)
            try:
                left = left[self.sock.send(left[:65536]) :] if writable else left
                chunk = self.sock.recv(min(count, 1 << 20)) if readable else None
            except OSError as error:
                raise self._broken(error, **seen) from None
            if chunk == b"":
                raise self._failed(EARLY, got=bytes(got), wanted=wanted, signs=("early end",))
            got += chunk or b""
            self._bounded(got, wanted)
        return bytes(got)

    def _bounded(self, got: bytearray, wanted: str) -> None:
        if len(got) > MOST:
            happened = f"It sends without end: more than {MOST:,} bytes {self.came}."
            raise self._failed(
                happened, got=bytes(got[:65536]), wanted=wanted, signs=("too much",)
            )

    def _read(self, most: int, got: bytearray, wanted: str) -> bytes:
        seen = {"got": bytes(got) or "nothing", "wanted": wanted}
        if not self._wait(sending=False, receiving=True)[0]:
            raise self._silent(self._nothing(_Talk(got=got)), **seen)
        try:
            return self.sock.recv(most)
        except OSError as error:
            raise self._broken(error, **seen) from None

    @property
    def segments(self) -> int | None:
        """How many segments with data have come: one for each small send() of the program.
        None where nobody can tell (not on Linux)."""
        return peers.segments(self.sock)

    # How it does it

    @property
    def _silence(self) -> float:
        return self.program.patience.silence

    def _peer(self, script: Callable[[], None]) -> None:
        """Run a script of `peers`; what it raises becomes a failure of the program."""
        try:
            script()
        except TimeoutError as error:
            raise self._silent(f"It does not read: {error}.", signs=("not read",)) from None
        except OSError as error:
            raise self._broken(error) from None

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
            raise self._failed(EARLY, **talk.seen(), signs=("early end",))
        if not talk.take(chunk):
            where = difference(bytes(talk.got), talk.wanted, self.came)
            happened = f"The wrong bytes {self.came}: {where}."
            seen = {**talk.seen(), **around(bytes(talk.got), talk.wanted)}
            raise self._failed(happened, **seen, signs=("wrong bytes",))

    def _wait(self, sending: bool, receiving: bool) -> tuple[bool, bool]:
        """Whether the socket can be read and can be written, as soon as one of them is so."""
        if self.program.patience.over:
            raise self._failed("It goes on for so long that the check was stopped.")
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
            return f"Nothing {self.came} for {seconds}."
        of_all = f" of {len(talk.wanted):,}" if talk.wanted else ""
        return f"{len(talk.got):,}{of_all} bytes {self.came}, then nothing for {seconds}."

    def _silent(
        self, happened: str, signs: tuple[str, ...] = ("silence",), **seen: bytes | str
    ) -> Failed:
        patience = self.program.patience
        self.program.look_inside(self._cpu, patience.silence)
        patience.silence_was_full()
        signs = (*signs, *calls_sendall(self.program))
        return self.program.failed(happened, signs=signs, **seen)

    def _broken(self, error: OSError, **seen: bytes | str) -> Failed:
        happened = f"The connection broke ({type(error).__name__})."
        for kind, words in BROKEN.items():
            if isinstance(error, kind):
                happened = words
        return self._failed(happened, signs=(_sign(error),), **seen)

    def _no_end(self, error: OSError) -> Failed:
        """The failure where an end of the stream was wanted, and the connection broke."""
        if not isinstance(error, ConnectionResetError):
            return self._broken(error, wanted=END)
        seen = {"got": type(error).__name__, "wanted": END}
        return self._failed(RESET, signs=("early end", "reset"), **seen)

    def _failed(self, happened: str, signs: tuple[str, ...] = (), **seen: bytes | str) -> Failed:
        self.program.settle()  # a program that dies closes its sockets first: wait for its end
        return self.program.failed(happened, signs=(*signs, *calls_sendall(self.program)), **seen)


def around(got: bytes, wanted: bytes) -> dict[str, str]:
    """What the report shows of long values that differ: the bytes around the first difference;
    {} for short values, and where none differs."""
    at = agreeing(got, wanted)
    if at == min(len(got), len(wanted)) or max(len(got), len(wanted)) <= LONG:
        return {}
    begin, end = max(0, at - ASIDE), at + ASIDE
    shown = f"(bytes {begin:,} to {end - 1:,})"
    return {"got": f"{got[begin:end]!r} {shown}", "wanted": f"{wanted[begin:end]!r} {shown}"}


def calls_sendall(program: Program) -> tuple[str, ...]:
    """A sign if the program's text calls sendall() and has sockets that do not wait."""
    try:
        text = program.path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # a program may have removed its own file
        return ()
    lines = [line.partition("#")[0] for line in text.splitlines()]
    calls = any(".sendall(" in line for line in lines)
    no_wait = any(re.search(r"setblocking\((False|0)\)|settimeout\(0\)", line) for line in lines)
    return ("calls sendall",) if calls and no_wait else ()


def _sign(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "early end" if isinstance(error, ConnectionError) else "no connection"


def _left(end: float) -> float:
    return max(0.0, end - time.monotonic())
