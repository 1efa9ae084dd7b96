"""From raw events to spans: whose call each event was, and who made it."""

from __future__ import annotations

import errno
import re
import socket
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from socketlab.conversation import INTEREST, Interest, Side, Span
from socketlab.lives import SILENT, Known, Lives, payload
from socketlab.taps import Event

__all__ = ["Known", "Unfinished", "read"]

CHOOSING = ("select", *INTEREST)
LAST = ("socket", "thread", "shutdown", "close")  # calls by which a stopped thread clears up


class Unfinished(Exception):
    """Stands for the outcome of a call that had none when the recording ended."""


@dataclass(eq=False, slots=True)
class _Thread:
    """One thread: idents are used again when a thread is gone."""

    born: int
    name: str
    stopped: float = float("inf")  # when its server was told to stop


Row = tuple[Event, str, Side, _Thread]  # (event, letter or "", side, who)


def read(
    events: list[Event], known: Iterable[Known], threads: Iterable[tuple[int, str]], began: int
) -> list[Span]:
    """The spans of `events`, in time order, with connections lettered in order of connect.

    `known` are the sockets and `threads` the (ident, name) of the threads that were there when the
    recording began, at clock time `began`.
    """
    events = _visible(sorted(events, key=lambda event: (event.start, event.end)))
    seen = [
        (event, thread)
        for event, thread in _by_thread(events, threads)
        if event.start <= thread.stopped or event.call in LAST
    ]
    lives = Lives(known, [event for event, _ in seen])
    return _spans(_rows(seen, lives), lives, began)


def _visible(events: list[Event]) -> list[Event]:
    """All but what Python itself did inside socketpair(), which on Windows is a handshake."""
    pairs: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        if event.call == "socketpair":
            pairs[event.thread].append(event)

    def inside(event: Event) -> bool:
        before = pairs[event.thread]
        place = bisect_right(before, event.start, key=lambda pair: pair.start) - 1
        return place >= 0 and event.end <= before[place].end

    return [e for e in events if e.call in ("socketpair", "socket") or not inside(e)]


def _by_thread(
    events: list[Event], there: Iterable[tuple[int, str]]
) -> list[tuple[Event, _Thread]]:
    """Each event with the thread that made it."""
    births = {ident: _Thread(0, name) for ident, name in there}
    found = []
    for event in events:
        if event.call == "thread":
            births[event.thread] = _Thread(event.start, event.result)
        thread = births.setdefault(event.thread, _Thread(0, "thread"))
        if event.call == "stop":
            thread.stopped = event.start
        found.append((event, thread))
    return found


def _rows(seen: list[tuple[Event, _Thread]], lives: Lives) -> list[Row]:
    """What is to be shown: the calls of connections, and the waits of threads that serve one."""
    found: list[Row] = []
    for event, thread in seen:
        if event.call in CHOOSING:
            found.append((event, "", "client", thread))
        elif event.call not in SILENT and (whose := lives.whose(event)):
            found.append((event, *whose, thread))
    serving = {thread for event, _, _, thread in found if event.call not in CHOOSING}
    selects = [event for event, _, _, who in found if event.call == "select" and who in serving]
    selectors = {event.result[0] for event in selects}
    servers = {thread for _, _, side, thread in found if side == "server"}
    return [
        (event, conn, "server" if not event.key and thread in servers else side, thread)
        for event, conn, side, thread in found
        if thread in serving or (event.call in INTEREST and event.result[0] in selectors)
    ]


def _spans(rows: list[Row], lives: Lives, began: int) -> list[Span]:
    names = _names(rows)
    zero = max(began, rows[0][0].start) if rows else 0
    numbers: dict[int, int] = {0: 0}  # of selectors, by id()
    spans = []
    for event, conn, side, thread in rows:
        times = (max(began, event.start) - zero) / 1e9, (event.end - zero) / 1e9
        data, nbytes = payload(event)
        datagram = bool(event.key) and lives.of(event).kind != socket.SOCK_STREAM
        interest = _interest(event, lives, numbers)
        what = *times, nbytes, _error(event), data, datagram, interest
        spans.append(Span(conn, side, names[thread], event.call, *what))
    return spans


def _interest(event: Event, lives: Lives, numbers: dict[int, int]) -> Interest | None:
    """What a call of a selector was about, None for any other; `numbers` gains the selector's."""
    if event.call not in CHOOSING:
        return None
    selector, *masks = event.result
    number = numbers.setdefault(selector, len(numbers))
    asked, ready = (
        tuple((name, mask) for fd, mask in pairs if (name := lives.named(fd, event.end)))
        for pairs in masks
    )
    return Interest(number, asked, ready)


def _names(rows: list[Row]) -> dict[_Thread, str]:
    """A name of its own for each thread: "handle" for one, "handle 1", "handle 2" for several.

    Numbers are in order of the first connection that each thread had.
    """
    first: dict[_Thread, tuple[int, str, int]] = {}
    for place, (_, conn, _, thread) in enumerate(rows):
        old = first.get(thread)
        if old is None or (not old[1] and conn):
            first[thread] = (len(conn), conn, place)
    threads = sorted(first, key=lambda thread: first[thread])
    total, used = Counter(_plain(thread.name) for thread in threads), Counter[str]()
    names = {}
    for thread in threads:
        name = _plain(thread.name)
        used[name] += 1
        names[thread] = f"{name} {used[name]}" if total[name] > 1 else name
    return names


def _plain(name: str) -> str:
    """A thread's name without the number that Python gave it, which differs from run to run."""
    name = re.sub(r"^Thread-\d+ \((\w+)\)$", r"\1", name)
    name = re.sub(r"^(Thread|Dummy)-\d+$", "thread", name)
    return re.sub(r"^(ThreadPoolExecutor-\d+|asyncio)_\d+$", "worker", name)


def _error(event: Event) -> str:
    """The errno's name, else the kind of exception; "" for none."""
    error = event.error
    if error is None:
        return _code(event.result[2]) if event.call == "connect_ex" else ""
    kind = type(error).__name__
    return _code(getattr(error, "errno", None)) or {
        "ServerStopped": "stopped",
        "Unfinished": "unfinished",
    }.get(kind, kind)


def _code(number: int | None) -> str:
    return errno.errorcode.get(number or 0, "").removeprefix("WSA")  # so are they on Windows
