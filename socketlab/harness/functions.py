"""Calls functions of the learner's file in a process of its own: plain values, real sockets."""

from __future__ import annotations

import _socket
import itertools
import json
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socketlab import peers
from socketlab.harness.program import Program
from socketlab.harness.scene import Failed, Patience, show
from socketlab.harness.shim import pack, plain
from socketlab.harness.talker import Talker
from socketlab.harness.trouble import CANNOT_READ

SHIM = Path(__file__).with_name("shim.py")
HOST = "127.0.0.1"
LONGEST_ANSWER = 100_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Held:
    """Something that lives in the learner's process: a socket or an object. `words` names it."""

    number: int
    words: str


@dataclass(frozen=True, slots=True)
class Other:
    """A value that is not plain: only the name of its type is known."""

    type: str

    def __repr__(self) -> str:
        return f"a {self.type} object"


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception of the learner's function: its name and its bases' names, its words, and the
    line of the file where it came from, as a number and as text."""

    bases: tuple[str, ...]
    words: str
    line: int
    function: str
    code: str = ""

    @property
    def name(self) -> str:
        """The name of its class."""
        return self.bases[0]

    @property
    def is_todo(self) -> bool:
        """Whether it says that something is still to be written."""
        return self.name == "NotImplementedError" and "TODO" in self.words

    def place(self) -> str:
        """The line of the file, for the report; "" if it came from elsewhere."""
        if self.is_todo:
            return f"Line {self.line} is still to be written: {self.words}"
        return f"It was raised at line {self.line}:\n    {self.code}" if self.code else ""

    def __str__(self) -> str:
        where = f" (line {self.line}, in {self.function})" if self.line else ""
        return f"{self.name}: {self.words}{where}" if self.words else f"{self.name}{where}"


class Functions:
    """The learner's file, imported in a process of its own. Nothing of it runs here.

    `call(name, *args)` calls one of its functions and returns what that returned, `start()` only
    begins to; `socket()` makes a connection whose one end can be an argument.
    """

    def __init__(
        self, path: Path, patience: Patience, start: Callable[..., Program] = Program
    ) -> None:
        self._numbers = itertools.count(1)
        self._answer = bytearray()
        self._peers: list[Talker] = []
        with socket.create_server((HOST, 0)) as listener:
            address = listener.getsockname()
            self.program = start(path, *address, patience=patience, runner=SHIM)
            try:
                self._control = self._accept(listener)
            except Failed:
                self.program.stop()
                raise
        try:
            self._names = self._ask("import it", do="names")["value"]
        except Failed as failure:
            self.close()
            if CANNOT_READ in failure.program:
                failure.happened = "Python could not read your file."
            raise

    def _accept(self, listener: socket.socket) -> socket.socket:
        end = time.monotonic() + self.program.patience.start
        while self.program.exit_code is None and time.monotonic() < end:
            if select.select([listener], [], [], 0.02)[0]:
                return listener.accept()[0]
        raise self.program.failed("Python did not start.")

    @property
    def steps(self) -> Any:
        """The steps of the check."""
        return self.program.steps

    def close(self) -> None:
        """End the process."""
        for peer in self._peers:  # not a step of any conversation: nothing is recorded of it
            _socket.socket.close(peer.sock)
        self._control.close()
        self.program.stop()

    # What a check does

    def socket(
        self, cap: int = 0, small_buffers: bool = False, timeout: float | None = None
    ) -> tuple[Held, Talker]:
        """A TCP connection: (the end that is an argument for a function, the check's own end).

        With `cap`, each recv() and send() of the function moves at most so many bytes.
        """
        number = next(self._numbers)
        name = "sock" if number == 1 else f"sock{number}"
        capped = f"; each recv() and send() of it moves at most {cap} byte{'s' * (cap > 1)}"
        self.steps.add(f"{name} is connected to a peer" + capped * bool(cap))
        with socket.socket() as listener:
            small = peers.SMALL if small_buffers else 0
            if small:
                peers.small_buffers(listener)
            listener.bind((HOST, 0))
            listener.listen()
            host, port = listener.getsockname()
            words = {"host": host, "port": port, "cap": cap, "small": small, "timeout": timeout}
            self._ask("connect", do="connect", id=number, **words)
            conn = self._connected(listener)
        self._peers.append(Talker(self.program, f"the peer of {name}", conn))
        return Held(number, name), self._peers[-1]

    def _connected(self, listener: socket.socket) -> socket.socket:
        """The connection that was made: so it was said, by a process that may say anything."""
        left = self.program.patience.deadline() - time.monotonic()
        if not select.select([listener], [], [], max(0.0, left))[0]:
            raise self.failed("The connection never came.", signs=("no connection",))
        return listener.accept()[0]

    def call(self, name: str, *args: object, **named: object) -> Any:
        """What a function returns, types exact; a `Raised` if it raises. Failed if it does not
        return in time, is missing, cannot be called like this, or ends the process."""
        return self.start(name, *args, **named).result()

    def start(self, name: str, *args: object, **named: object) -> Call:
        """A call that has begun: let the peer do something, then ask for `result()`."""
        return Call(self, None, name, args, named)

    def make(self, name: str, *args: object, **named: object) -> Thing:
        """An object of a class of the file, or anything that a function returns, held there."""
        keep = next(self._numbers)
        call = Call(self, None, name, args, named, keep)
        value = call.result()
        if isinstance(value, Raised):
            raise call.raised(value)
        return Thing(self, Held(keep, name))

    def expect(self, wanted: object, name: str, *args: object, **named: object) -> None:
        """Call a function; Failed if it does not return exactly `wanted`, of exactly that type."""
        self.start(name, *args, **named).expect(wanted)

    def expect_error(self, kind: str, name: str, *args: object, **named: object) -> Raised:
        """Call a function; Failed if it does not raise `kind` or a subclass (a name, built in)."""
        return self.start(name, *args, **named).expect_error(kind)

    def wait_readable(self, sock: Held, nbytes: int) -> None:
        """Wait until so many bytes can be read from the function's end, and leave them there."""
        self._ask("peek", do="peek", on=sock.number, nbytes=nbytes)

    def unread(self, sock: Held) -> bytes:
        """What has arrived at the function's end and was not read by it. It is read now.
        Failed if the function has closed its end."""
        value: bytes | None = self._ask("be looked into", do="unread", on=sock.number)["value"]
        if value is None:
            happened = f"{sock.words} is closed: your function closed the connection it was given."
            raise self.failed(happened, signs=("closed",))
        return value

    def finish(self, sock: Held) -> None:
        """Say to the peer that the function's end sends no more: after all that it has sent."""
        self._ask("shut the connection down", do="finish", on=sock.number)

    def failed(self, happened: str, raised: Raised | None = None, **seen: Any) -> Failed:
        """The failure to raise."""
        signs = (f"raised {raised.name}", f"in {raised.function}") if raised else ()
        failed = self.program.failed(happened, signs=(*seen.pop("signs", ()), *signs), **seen)
        failed.program = failed.program or (raised.place() if raised else "")
        return failed

    # How it does it

    def _send(self, request: dict[str, Any]) -> None:
        self._answer.clear()
        with suppress(OSError):  # it has ended: the answer will not come
            self._control.settimeout(self.program.patience.silence)
            self._control.sendall(json.dumps(request).encode("ascii") + b"\n")

    def _receive(self, what: str) -> dict[str, Any]:
        """The answer to the last request."""
        end, patience = self.program.patience.deadline(), self.program.patience
        busy, soon = 0.0, min(0.1, max(0.0, end - time.monotonic()))
        if not select.select([self._control], [], [], soon)[0]:
            busy = self.program.cpu_seconds()  # does it wait, or is it busy? see below
        while not self._answer.endswith(b"\n"):
            readable = select.select([self._control], [], [], max(0.0, end - time.monotonic()))[0]
            if not readable:
                self.program.look_inside(busy, patience.silence)
                patience.silence_was_full()
                raise self.failed(f"It did not {what} in time.", signs=("no return",))
            chunk = b""
            with suppress(OSError):
                chunk = self._control.recv(1 << 20)
            self._answer += chunk
            if not chunk or len(self._answer) > LONGEST_ANSWER:
                raise self._gone(what)
        return self._decoded()

    def _decoded(self) -> dict[str, Any]:
        try:
            answer = json.loads(self._answer)
            if "value" in answer:
                answer["value"] = unpack(answer["value"])
            if "error" in answer:
                answer["error"] = _raised(answer["error"])
            _need_texts(answer.get("missing", ""), answer.get("misfit", ""))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self.failed("Something else answered in place of your function.") from None
        return answer

    def _gone(self, what: str) -> Failed:
        self.program.wait_ended(1)
        happened = f"The program ended before it could {what}."
        if self.program.exit_code is None:
            happened = f"It closed the connection to the checks before it could {what}."
        return self.failed(happened, signs=("ended",))

    def _ask(self, what: str, **request: object) -> dict[str, Any]:
        self._send(request)
        return self._receive(what)


class Thing:
    """An object in the learner's process: its methods can be called."""

    def __init__(self, functions: Functions, held: Held) -> None:
        self.functions, self.held = functions, held

    def call(self, name: str, *args: object, **named: object) -> Any:
        """What a method returns, or a `Raised`."""
        return self.start(name, *args, **named).result()

    def start(self, name: str, *args: object, **named: object) -> Call:
        """A call of a method that has begun."""
        return Call(self.functions, self.held, name, args, named)

    def expect(self, wanted: object, name: str, *args: object, **named: object) -> None:
        """Call a method; Failed if it does not return exactly `wanted`."""
        self.start(name, *args, **named).expect(wanted)

    def expect_error(self, kind: str, name: str, *args: object, **named: object) -> Raised:
        """Call a method; Failed if it does not raise `kind` or a subclass."""
        return self.start(name, *args, **named).expect_error(kind)


class Call:
    """A call that has begun in the learner's process. One at a time."""

    def __init__(
        self,
        functions: Functions,
        on: Held | None,
        name: str,
        args: tuple[object, ...],
        named: dict[str, object],
        keep: int = 0,
    ) -> None:
        self.functions, self.on, self.name = functions, on, name
        shown = [*map(_shown, args), *(f"{key}={_shown(value)}" for key, value in named.items())]
        self.words = f"{on.words + '.' if on else ''}{name}({', '.join(shown)})"
        functions.steps.add(f"{self.words} is called")
        request = {"do": "call", "on": on.number if on else 0, "name": name, "keep": keep}
        request["args"] = [_packed(each) for each in args]
        request["named"] = {key: _packed(value) for key, value in named.items()}
        functions._send(request)

    def result(self) -> Any:
        """What it returns, or a `Raised`; Failed if it does neither in time."""
        functions = self.functions
        answer = functions._receive(f"return from {self.name}()")
        if "missing" in answer:
            there = ", ".join(functions._names) or "nothing"
            kind = "method" if self.on else "function or class"
            happened = f"There is no {kind} {self.name} in your file; it defines: {there}."
            raise functions.failed(happened, signs=("missing",))
        if "misfit" in answer:
            got, wanted = f"def {self.name}{answer['misfit']}", f"to be called as {self.words}"
            happened = f"{self.name}() does not take these arguments."
            raise functions.failed(happened, signs=("misfit",), got=got, wanted=wanted)
        return answer.get("value", answer.get("error"))

    def feed(self, peer: Talker, *pieces: bytes) -> Call:
        """Let the peer send each piece when the call has read the one before (on Linux; elsewhere
        just apart) or has come to its end. Failed if it does neither."""
        said = f"sends in {len(pieces)} pieces: {', '.join(map(repr, pieces))}"
        self.functions.steps.add(f"{peer.name} {said}"[:200])
        for piece in pieces:
            self._wait_taken(peer)
            with suppress(ConnectionError):  # closed by the call: its result says more
                peers.send_at_once(peer.sock, piece)
        return self

    def _wait_taken(self, peer: Talker) -> None:
        program = self.functions.program
        pause, patience, cpu = 0.0002, program.patience, -1.0
        began, end = time.monotonic(), patience.deadline()
        while peers.unacknowledged(peer.sock) or peers.unread(peer.sock):
            if select.select([self.functions._control], [], [], pause)[0]:
                return
            if cpu < 0 and time.monotonic() > (began + end) / 2:
                cpu = program.cpu_seconds()  # now it has started: is it busy, or does it wait?
            if time.monotonic() > end:
                program.look_inside(cpu, (end - began) / 2)
                patience.silence_was_full()
                happened = f"{self.name}() does not read what was sent."
                raise self.functions.failed(happened, signs=("not read",))
            pause = min(pause * 1.5, 0.02)

    def raised(self, error: Raised, wanted: str | bytes = "") -> Failed:
        """The failure to raise for an exception that is not wanted."""
        if error.is_todo:
            return self.functions.failed(f"{self.name}() is not finished.", error)
        happened = f"{self.name}() raised {error}"
        seen = {"got": error.name, "wanted": wanted} if wanted else {}
        return self.functions.failed(happened, error, **seen)

    def expect(self, wanted: object) -> None:
        """Failed if the call does not return exactly `wanted`, of exactly that type."""
        got = self.result()
        if isinstance(got, Raised):
            raise self.raised(got, _show(wanted))
        if not same(got, wanted):
            signs = ("wrong type",) if type(got) is not type(wanted) else ("wrong value",)
            happened = f"{self.name}() returned something else."
            shown = {"got": _show(got), "wanted": _show(wanted)}
            raise self.functions.failed(happened, signs=signs, **shown)

    def expect_error(self, kind: str) -> Raised:
        """Failed if the call does not raise `kind` or a subclass of it."""
        got = self.result()
        if isinstance(got, Raised):
            if kind in got.bases:
                return got
            raise self.raised(got, kind)
        happened = f"{self.name}() returned, and raised nothing."
        shown = {"got": _show(got), "wanted": f"{kind} to be raised"}
        raise self.functions.failed(happened, signs=("not raised",), **shown)


def same(got: object, wanted: object) -> bool:
    """Whether two plain values are equal and of the same types all the way down."""
    return bool(pack(got) == pack(wanted))


def unpack(packed: Any) -> Any:
    """A value that came from the learner's process: plain, or an `Other`."""
    kind, value = packed
    if kind == "other":
        return Other(str(value)[:80])
    if kind in ("list", "tuple"):
        return {"list": list, "tuple": tuple}[kind](map(unpack, value))
    if kind == "dict":
        return {unpack(key): unpack(each) for key, each in value}
    if kind in _PLAIN and type(value) is not _PLAIN[kind]:
        raise TypeError("a value is not of its type")
    return plain(kind, value)


_PLAIN = {"str": str, "bool": bool, "NoneType": type(None)}


def _raised(error: dict[str, Any]) -> Raised:
    """The exception that was described. ValueError, TypeError or KeyError if it was not."""
    bases, line = error.pop("bases"), error.pop("line")
    if type(bases) is not list or not bases or type(line) is not int or not 0 <= line < 10**9:
        raise ValueError("this is no exception")
    raised = Raised(tuple(bases), line=line, **error)
    _need_texts(*bases, raised.words, raised.function, raised.code)
    return raised


def _need_texts(*values: object) -> None:
    if not all(type(value) is str for value in values):
        raise TypeError("something is not text")


def _packed(value: object) -> list[object]:
    if isinstance(value, Thing):
        value = value.held
    if isinstance(value, Held):
        return ["held", value.number]
    packed = pack(value)
    if packed[0] == "other":
        raise TypeError(f"an argument is a {packed[1]}: use plain values and sockets")
    return packed


def _shown(value: object) -> str:
    if isinstance(value, (Held, Thing)):
        return value.words if isinstance(value, Held) else value.held.words
    return show(value) if isinstance(value, bytes) and len(value) > 40 else _repr(value)[:80]


def _show(value: object) -> bytes | str:
    if isinstance(value, bytes) and value:
        return value
    return 'b"" (no bytes)' if value == b"" else _repr(value)[:200]


def _repr(value: object) -> str:
    try:
        return ascii(value)
    except (ValueError, RecursionError):  # an int of more than 4300 digits
        return f"a {type(value).__name__} too large to show"
