"""From raw events to spans: which two sockets are the ends of one connection, and its letter."""

from __future__ import annotations

import errno
import re
import socket
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from socketlab.conversation import Side, Span
from socketlab.taps import KEPT, Cut, Event

SILENT = ("socket", "thread", "stop", "socketpair", "bind", "listen")
LAST = ("socket", "thread", "shutdown", "close")  # calls by which a stopped thread clears up


class Unfinished(Exception):
    """Stands for the outcome of a call that had none when the recording ended."""


class Known(NamedTuple):
    """A socket that was open when the recording began."""

    key: int
    kind: int
    own: Any
    peer: Any
    listens: bool


@dataclass(eq=False, slots=True)
class Life:
    """One socket from its birth on. Another one may get the same id() when it is gone."""

    born: int
    kind: int = socket.SOCK_STREAM
    own: Any = None
    peer: Any = None
    side: Side | None = None
    opened: int = 0
    name: str = ""
    listens: bool = False
    hidden: bool = False
    mate: Life | None = None


def read(
    events: list[Event], known: Iterable[Known], threads: Iterable[tuple[int, str]], began: int
) -> list[Span]:
    """The spans of `events`, in time order, with connections lettered in order of connect.

    `known` are the sockets and `threads` the (ident, name) of the threads that were there when the
    recording began, at clock time `began`.
    """
    events = _lived(sorted(events, key=lambda event: (event.start, event.end)))
    lives = _Lives(known, events)
    for event in events:
        lives.learn(event)
    lives.pair()
    return _spans(events, lives, _Threads(threads, events), began)


def _lived(events: list[Event]) -> list[Event]:
    """All but what servers did while they were being stopped, and what Python did by itself."""
    stops = {event.thread: event.start for event in events if event.call == "stop"}
    return _visible(
        [e for e in events if e.call in LAST or e.start <= stops.get(e.thread, e.start)]
    )


def _visible(events: list[Event]) -> list[Event]:
    """All but what Python itself did inside socketpair(), which on Windows is a handshake."""
    pairs = [e for e in events if e.call == "socketpair"]
    inside = {
        id(e)
        for pair in pairs
        for e in events
        if e.thread == pair.thread and pair.start <= e.start < e.end <= pair.end
        and e.call not in ("socketpair", "socket")
    }  # fmt: skip
    return [e for e in events if id(e) not in inside]


class _Lives:
    """Every socket seen, found again by its id() and a time."""

    def __init__(self, known: Iterable[Known], events: list[Event]) -> None:
        self.by_key: dict[int, list[Life]] = defaultdict(list)
        self.datagrams: dict[tuple[Any, Any], str] = {}  # (client's port, server's port): letter
        for key, kind, own, peer, listens in known:
            self.by_key[key].append(Life(0, kind, own, peer, listens=listens))
        for event in events:
            if event.call == "socket":
                self.by_key[event.key].append(Life(event.start, event.result))

    def at(self, key: int, time: int) -> Life:
        """The socket that had `key` at `time`."""
        lives = self.by_key[key]
        if not lives:
            lives.append(Life(0))
        return lives[max(0, bisect_right(lives, time, key=lambda life: life.born) - 1)]

    def learn(self, event: Event) -> None:
        """Keep what one event tells of its socket."""
        if learn := getattr(self, f"_{event.call}", None):
            learn(self.at(event.key, event.start), event)

    def _connect(self, life: Life, event: Event) -> None:
        own, peer = event.result[:2]
        life.own, life.peer, life.side = own or life.own, peer, "client"
        life.opened = life.opened or event.start

    _connect_ex = _connect

    def _accept(self, life: Life, event: Event) -> None:
        life.listens = True
        if event.error is None:
            key, own, peer = event.result
            conn = self.at(key, event.end)
            conn.own, conn.peer, conn.side, conn.opened = own, peer, "server", event.end

    def _bind(self, life: Life, event: Event) -> None:
        if event.error is None:
            life.own, life.listens = event.result[0], True

    _listen = _bind

    def _close(self, life: Life, event: Event) -> None:
        life.own, life.peer = life.own or event.result[0], life.peer or event.result[1]

    def _socketpair(self, _: Life, event: Event) -> None:
        key, caller = event.result
        life, mate = self.at(event.key, event.end), self.at(key, event.end)
        life.side, mate.side, life.mate, mate.mate = "client", "server", mate, life
        life.opened = mate.opened = event.start
        life.hidden = mate.hidden = caller.startswith(("asyncio", "socketlab"))  # alarm bells

    def _sendto(self, life: Life, event: Event) -> None:
        if event.error is None:
            self._datagram(life, event.result[2], event.result[1])

    def _datagram(self, life: Life, own: Any, peer: Any) -> None:
        life.own = life.own or own
        if not life.listens:
            self.datagrams.setdefault((_port(own), _port(peer)), "")

    # pairing

    def all(self) -> Iterator[Life]:
        return (life for lives in self.by_key.values() for life in lives)

    def pair(self) -> None:
        """Find each client's accepted socket and letter the connections in order of connect."""
        self._take_sides()
        streams = [life for life in self.all() if life.side and not life.hidden]
        waiting = defaultdict(list)
        for life in sorted(streams, key=lambda life: life.opened):
            if life.side == "server" and not life.mate:
                waiting[_ends(life.peer, life.own)].append(life)
        clients = sorted((s for s in streams if s.side == "client"), key=lambda s: s.opened)
        for client in clients:
            if not client.mate and (found := waiting[_ends(client.own, client.peer)]):
                client.mate, found[0].mate = found[0], client
                del found[0]
        alone = [life for life in streams if life.side == "server" and not life.mate]
        self._letter(sorted([*clients, *alone], key=lambda life: life.opened))

    def _take_sides(self) -> None:
        """A socket that was connected before the recording is a server's if its port listens."""
        listening = {_port(life.own) for life in self.all() if life.listens}
        for life in self.all():
            if life.side is None and life.peer and not life.listens:
                life.side = "server" if _port(life.own) in listening else "client"

    def _letter(self, ends: list[Life]) -> None:
        letters = _letters()
        for life in ends:
            life.name = next(letters)
            if life.mate:
                life.mate.name = life.name
        for ports in self.datagrams:
            self.datagrams[ports] = next(letters)

    def connection(self, life: Life, event: Event) -> tuple[str, Side]:
        """The letter and the side of one event's socket."""
        if life.side and life.kind != socket.SOCK_DGRAM:
            return life.name, life.side
        other = event.result[1] if event.error is None and len(event.result) > 1 else None
        here, there = _port(life.own), _port(other)
        for ports, name in self.datagrams.items():
            if ports in ((here, there), (there, here)) or (other is None and ports[0] == here):
                return name, "client" if ports[0] == here else "server"
        return "", "server"


def _ends(client: Any, server: Any) -> tuple[Any, Any]:
    """What both ends of a connection agree on. Unix clients have no name: the path must do."""
    return (None, server) if isinstance(server, str) else (_port(client), _port(server))


def _port(address: Any) -> Any:
    return address[1] if isinstance(address, tuple) else address


def _letters() -> Iterator[str]:
    """A, B, … Z, AA, AB, … without end."""
    number = 0
    while number := number + 1:
        name, rest = "", number
        while rest:
            rest, digit = divmod(rest - 1, 26)
            name = chr(65 + digit) + name
        yield name


class _Threads:
    """Who a thread is: idents are used again, and the numbers in Python's names differ by run."""

    def __init__(self, there: Iterable[tuple[int, str]], events: list[Event]) -> None:
        self.births: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for ident, name in there:
            self.births[ident].append((0, name))
        for event in events:
            if event.call == "thread":
                self.births[event.thread].append((event.start, event.result))

    def at(self, ident: int, time: int) -> tuple[int, int, str]:
        """(ident, birth, name without number) of the thread that had `ident` at `time`."""
        births = self.births[ident] or [(0, "thread")]
        born, name = births[max(0, bisect_right(births, time, key=lambda b: b[0]) - 1)]
        name = re.sub(r"^Thread-\d+ \((\w+)\)$", r"\1", name)
        return ident, born, re.sub(r"^ThreadPoolExecutor-\d+_\d+$", "worker", name)


def _numbered(threads: Iterable[tuple[int, int, str]]) -> dict[tuple[int, int, str], str]:
    """A name of its own for each thread: "handle" for one, "handle 1", "handle 2" for several."""
    threads = list(dict.fromkeys(threads))
    total, used = Counter(name for _, _, name in threads), Counter[str]()
    names = {}
    for thread in threads:
        name = thread[2]
        used[name] += 1
        names[thread] = f"{name} {used[name]}" if total[name] > 1 else name
    return names


def _spans(events: list[Event], lives: _Lives, threads: _Threads, began: int) -> list[Span]:
    """A span for each event of a connection, and for the waits of threads that serve one."""
    found = [
        (e, *_whose(e, lives), threads.at(e.thread, e.start)) for e in events if _shown(e, lives)
    ]
    serving = {thread for _, conn, side, thread in found if side == "server" or conn}
    found = [row for row in found if row[1] or row[3] in serving]
    names = _numbered(thread for *_, thread in found)
    servers = {thread for event, _, side, thread in found if side == "server" and event.key}
    zero = max(began, found[0][0].start) if found else 0
    spans = []
    for event, conn, side, thread in found:
        if not event.key:
            side = "server" if thread in servers else "client"
        spans.append(_span(event, conn, side, names[thread], max(began, event.start) - zero, zero))
    return spans


def _shown(event: Event, lives: _Lives) -> bool:
    if event.call in SILENT:
        return False
    if event.call == "select":
        return True
    life = lives.at(event.key, event.start)
    if event.call in ("close", "shutdown") and not life.side and life.kind != socket.SOCK_DGRAM:
        return False  # a listener's
    return not life.hidden


def _whose(event: Event, lives: _Lives) -> tuple[str, Side]:
    if event.call == "select":
        return "", "client"
    if event.call == "accept":
        return (lives.at(event.result[0], event.end).name if not event.error else ""), "server"
    return lives.connection(lives.at(event.key, event.start), event)


def _span(event: Event, conn: str, side: Side, thread: str, start: int, zero: int) -> Span:
    data, nbytes = _payload(event)
    return Span(
        conn, side, thread, event.call, start / 1e9, (event.end - zero) / 1e9, nbytes,
        error_name(event.error), data,
    )  # fmt: skip


def _payload(event: Event) -> tuple[bytes, int]:
    """(first bytes, number of bytes) of what the call moved."""
    result = event.result
    if isinstance(result, tuple) and not isinstance(result, Cut):
        result = result[0] if result else b""
    if isinstance(result, Cut):
        return result
    return (result[:KEPT], len(result)) if isinstance(result, bytes) else (b"", 0)


def error_name(error: BaseException | None) -> str:
    """The errno's name, else the kind of exception; "" for none."""
    if error is None:
        return ""
    code = getattr(error, "errno", None)
    kind = type(error).__name__
    return errno.errorcode.get(code or 0) or {
        "ServerStopped": "stopped",
        "Unfinished": "unfinished",
    }.get(kind, kind)
