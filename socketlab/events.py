"""Events on their way from one process to another: lines of plain values, never code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from socketlab.conversation import INTEREST
from socketlab.taps import CUT, KEPT, Cut, Event

MOST = 20_000  # events of one process; a program that spins makes more, and none of them is new
ABOUT_DESCRIPTORS = ("select", *INTEREST)


def event_line(event: Event) -> bytes:
    """One event as a line of ASCII, newline included."""
    error = event.error
    told = (type(error).__name__, getattr(error, "errno", None)) if error is not None else None
    return f"{(*event[:5], _plain(event.result), told)!a}\n".encode("ascii")


def read_events(lines: bytes, process: int) -> Iterator[Event]:
    """The events of the process with this number (1, 2, ...). The last line may be cut short.

    Sockets, threads, selectors and descriptors get names that no other process has: there,
    the same numbers may stand for others. ValueError for a line that holds no event.
    """
    for line in lines.split(b"\n")[:-1][:MOST]:
        try:
            call, key, start, end, thread, result, told = ast.literal_eval(line.decode("ascii"))
            error = _error(*told) if told else None
            event = Event(call, key, start, end, thread, _bytes(result), error)
            yield _renamed(event, process << 64)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise ValueError(f"not an event: {line[:80]!r}") from None


def _plain(value: Any) -> Any:
    """What of a result can be told: numbers, text, bytes and tuples of them."""
    if isinstance(value, Cut):
        return ("cut", value.data, value.nbytes)
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        return data if len(data) <= CUT else ("cut", data[:KEPT], len(data))
    return str(value) if isinstance(value, str) else None


def _bytes(value: Any) -> Any:
    match value:
        case ("cut", bytes(data), int(nbytes)):
            return Cut(data, nbytes)
        case tuple():
            return tuple(map(_bytes, value))
    return value


def _error(name: str, number: int | None) -> Exception:
    """An exception with this name and errno. Ctrl-C and exit end a call without an outcome."""
    name = "Unfinished" if name in ("KeyboardInterrupt", "SystemExit") else name
    error: Exception = type(name, (Exception,), {})()
    error.errno = number  # type: ignore[attr-defined]
    return error


def _renamed(event: Event, by: int) -> Event:
    result = event.result
    if event.call in ABOUT_DESCRIPTORS:
        selector, *masks = result
        fds = (tuple((fd + by, mask) for fd, mask in pairs) for pairs in masks)
        result = (selector and selector + by, *fds)
    elif event.error is None:
        match event.call, result:
            case "accept", int(key):
                result = key + by
            case "socketpair", (int(key), caller):
                result = (key + by, caller)
            case "socket", (kind, own, peer, int(fd)):
                result = (kind, own, peer, fd + by if fd >= 0 else fd)
    key = event.key and event.key + by
    return event._replace(key=key, thread=event.thread + by, result=result)
