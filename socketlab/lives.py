"""Every socket that a recording saw, and which two of them are the ends of one connection."""

from __future__ import annotations

import os
import socket
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from socketlab.conversation import EMPTY, RECEIVES, SENDS, Side
from socketlab.taps import KEPT, Cut, Event

SILENT = ("socket", "thread", "stop", "socketpair", "bind", "listen")
OTHER = "other"  # the name of a file that is watched and is no socket
RECEIVING = (*RECEIVES, *EMPTY, "peek")


class Known(NamedTuple):
    """A socket that was open when the recording began. Those of the kit itself are hidden."""

    key: int
    kind: int
    own: Any
    peer: Any
    fd: int
    listens: bool
    hidden: bool


@dataclass(eq=False, slots=True)
class Life:
    """One socket from its birth on. Another one may get the same id() when it is gone."""

    born: int
    kind: int = socket.SOCK_STREAM
    own: Any = None
    peer: Any = None
    fd: int = -1
    listens: bool = False
    hidden: bool = False
    side: Side | None = None
    opened: int = 0  # when its connect() began, or its accept() returned
    settled: int = 0  # when its connect() returned
    said: bytes = b""  # the first bytes that it sent
    heard: bytes = b""  # the first bytes that it received
    mate: Life | None = None  # the other end
    twin: Life | None = None  # an earlier socket object for the same end
    name: str = ""

    @property
    def stream(self) -> bool:
        """Whether it is one of two ends, as TCP's are and UDP's are not."""
        return self.kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)


@dataclass(eq=False, slots=True)
class Flow:
    """The datagrams between two ports: what a connection is for TCP."""

    opened: int
    name: str = ""
    mate: Life | None = None

    @property
    def settled(self) -> int:
        """A flow is there at once."""
        return self.opened


class Lives:
    """Every socket seen, found again by its id() and a time; whose call each event was."""

    def __init__(self, known: Iterable[Known], events: list[Event]) -> None:
        self._by_key: dict[int, list[Life]] = defaultdict(list)
        for key, *about in known:
            self._by_key[key].append(Life(0, *about))
        for event in events:
            if event.call == "socket":
                self._by_key[event.key].append(Life(event.start, *event.result))
        self._of = {id(event): self.at(event.key, event.start) for event in events if event.key}
        for event in events:
            if event.key:
                self._learn(self.of(event), event)
        lives = [life for of_key in self._by_key.values() for life in of_key]
        self._by_fd: dict[int, list[Life]] = defaultdict(list)
        for life in sorted(lives, key=lambda life: life.born):
            self._by_fd[life.fd].append(life)
        self._flows = _Flows(self, lives, events)
        _letter([*_paired(lives), *self._flows.all()])

    def of(self, event: Event) -> Life:
        """The socket that made this call."""
        return self._of[id(event)]

    def at(self, key: int, time: int) -> Life:
        """The socket that had `key` at `time`."""
        lives = self._by_key[key]
        if not lives:
            lives.append(Life(0))
        return lives[max(0, bisect_right(lives, time, key=lambda life: life.born) - 1)]

    def named(self, fd: int, time: int) -> str | None:
        """What to call the socket that had descriptor `fd` at `time`; None if it is hidden."""
        before = [life for life in self._by_fd[fd] if life.born <= time]
        if fd < 0 or not before:
            return OTHER
        life = before[-1].twin or before[-1]
        if life.hidden:
            return None
        return "listener" if life.listens and life.stream else life.name or OTHER

    def whose(self, event: Event) -> tuple[str, Side] | None:
        """The letter and the side of the event's connection; None if it is not to be shown.

        The letter is "" for a call of a server that belongs to no one connection.
        """
        if event.call == "accept":
            conn = self.at(event.result, event.end) if event.error is None else None
            return (conn.name if conn else ""), "server"
        life = self.of(event)
        if life.hidden:
            return None
        if not life.stream:
            return self._flows.whose(event)
        end = life.twin or life
        return (end.name, end.side) if end.side else None

    # what one event tells of its socket

    def _learn(self, life: Life, event: Event) -> None:
        if learn := getattr(self, f"_{event.call}", None):
            learn(life, event)
        elif event.call in SENDS:
            life.said = life.said or payload(event)[0]
        elif event.call in RECEIVING:
            life.heard = life.heard or payload(event)[0]

    def _connect(self, life: Life, event: Event) -> None:
        own, peer = [*event.result, None, None][:2]
        life.own, life.peer = own or life.own, peer
        if life.stream:
            life.side, life.settled = "client", event.end
            life.opened = life.opened or event.start

    _connect_ex = _connect

    def _accept(self, life: Life, event: Event) -> None:
        life.listens = True
        if event.error is None:
            conn = self.at(event.result, event.end)
            conn.side, conn.opened = "server", event.end

    def _bind(self, life: Life, event: Event) -> None:
        if event.error is None:
            life.own, life.listens = event.result[0], life.listens or not life.stream

    def _listen(self, life: Life, event: Event) -> None:
        if event.error is None:
            life.own, life.listens = event.result[0], True

    def _close(self, life: Life, event: Event) -> None:
        own, peer = event.result
        life.own, life.peer = own if life.own is None else life.own, life.peer or peer

    def _sendto(self, life: Life, event: Event) -> None:
        if event.error is None:
            life.own = event.result[2] or life.own

    def _socketpair(self, _: Life, event: Event) -> None:
        key, caller = event.result
        life, mate = self.at(event.key, event.end), self.at(key, event.end)
        life.side, mate.side, life.mate, mate.mate = "client", "server", mate, life
        life.opened = mate.opened = event.start
        package = caller.partition(".")[0]
        life.hidden = mate.hidden = package in ("asyncio", "socketlab")  # alarm bells


# --- the ends of streams -------------------------------------------------------------------------


def _paired(lives: list[Life]) -> list[Life]:
    """The first end seen of each connection: its client if that one is in this process."""
    streams = [life for life in lives if life.stream and not life.hidden]
    _take_sides(streams)
    ends = sorted((s for s in streams if s.side and not s.twin), key=lambda life: life.opened)
    waiting: dict[Any, list[Life]] = defaultdict(list)
    for life in ends:
        if life.side == "server" and not life.mate:
            waiting[_meeting(life.peer, life.own)].append(life)
    for client in ends:
        if client.side == "client" and not client.mate:
            found = waiting[_meeting(client.own, client.peer)]
            if mate := next((server for server in found if _agree(client, server)), None):
                client.mate, mate.mate = mate, client
                found.remove(mate)
    return [life for life in ends if life.side == "client" or not life.mate]


def _take_sides(streams: list[Life]) -> None:
    """Give each socket that was connected out of our sight its side, or the end that it is of.

    It was connected before the recording, or is one end's second object: by dup(), by ssl.
    """
    listening = {_port(life.own) for life in streams if life.listens}
    seen: dict[tuple[Any, Any], Life] = {}
    for life in sorted(streams, key=lambda life: life.opened or life.born):
        if life.listens or life.peer is None or not (life.own or life.peer):
            continue
        names = _host_port(life.own), _host_port(life.peer)
        if not life.side and isinstance(life.own, tuple):
            life.twin = seen.get(names)
        if not life.side and not life.twin:
            other = seen.get(names[::-1])
            life.side, life.opened = _side(life, other, listening), life.born
        if not life.twin:
            seen[names] = life


def _side(life: Life, other: Life | None, listening: set[Any]) -> Side:
    """A server's port listens, and a Unix client has no name; else the older one is the client."""
    if _port(life.own) in listening:
        return "server"
    if (other and other.side == "client") or not life.peer:
        return "server" if _port(life.peer) not in listening else "client"
    return "client"


def _meeting(client: Any, server: Any) -> Any:
    """What both ends of a connection agree on. Unix clients have no name: the path must do."""
    if isinstance(server, str | bytes):
        return os.fsencode(server)
    return _port(client), _port(server)


def _agree(client: Life, server: Life) -> bool:
    """Whether what is known of two ends that may be one connection fits together."""
    if isinstance(server.own, tuple):
        hosts = _host_port(client.own)[0], _host_port(server.peer)[0]
        return hosts[0] == hosts[1] or hosts[0] in ("0.0.0.0", "::", None)
    both = (client.said, server.heard), (server.said, client.heard)
    return all(one.startswith(other) or other.startswith(one) for one, other in both)


def _host_port(address: Any) -> tuple[Any, Any]:
    """Without what the same address may have or not: flow, scope, a prefix for IPv4 on IPv6."""
    if isinstance(address, tuple):
        return str(address[0]).removeprefix("::ffff:"), address[1]
    return None, address


def _port(address: Any) -> Any:
    return _host_port(address)[1]


def _letter(ends: list[Any]) -> None:
    """Name connections in order of connect; where connects overlap, in order of accept."""
    letters, group, until = _letters(), list[Any](), 0
    for end in [*sorted(ends, key=lambda end: end.opened), None]:
        if group and (end is None or end.opened > until):
            for life in sorted(group, key=_accepted):
                life.name = next(letters)
                if life.mate:
                    life.mate.name = life.name
            group = []
        if end:
            until = max(until if group else 0, end.settled)
            group.append(end)


def _accepted(end: Any) -> float:
    return end.mate.opened if end.mate else float("inf")


def _letters() -> Iterator[str]:
    """A, B, … Z, AA, AB, … without end."""
    number = 0
    while number := number + 1:
        name, rest = "", number
        while rest:
            rest, digit = divmod(rest - 1, 26)
            name = chr(65 + digit) + name
        yield name


# --- datagrams -----------------------------------------------------------------------------------


class _Flows:
    """The datagrams of a recording, by the two ports that they went between."""

    def __init__(self, seen: Lives, lives: list[Life], events: list[Event]) -> None:
        self._flows: dict[tuple[Any, Any], Flow] = {}  # by (client's port, server's port)
        self._of: dict[int, tuple[Flow, Side]] = {}  # by id() of the event
        first: dict[Life, tuple[Flow, Side]] = {}
        bound = {_port(life.own) for life in lives if life.listens and not life.stream}
        for event in events:
            if not event.key or event.call in SILENT:
                continue
            life = seen.of(event)
            if life.stream or life.hidden:
                continue
            other = _addressed(life, event)
            if other is not None:
                self._of[id(event)] = self._find(life, _port(other), event, bound)
                first.setdefault(life, self._of[id(event)])
            elif life in first and first[life][1] == "client":
                self._of[id(event)] = first[life]

    def all(self) -> Iterable[Flow]:
        return self._flows.values()

    def whose(self, event: Event) -> tuple[str, Side] | None:
        """The letter of the event's flow and its side in it."""
        if found := self._of.get(id(event)):
            return found[0].name, found[1]
        return None

    def _find(self, life: Life, there: Any, event: Event, bound: set) -> tuple[Flow, Side]:
        """The flow to or from port `there`. Who was not bound, or else spoke first, is client."""
        here = _port(life.own)
        if here in (None, 0):  # it never had a port
            here = id(life)
        client = event.call not in RECEIVING
        if (here in bound) != (there in bound):
            client = there in bound
        if (here, there) not in self._flows and (there, here) not in self._flows:
            self._flows[(here, there) if client else (there, here)] = Flow(event.start)
        if (here, there) in self._flows:
            return self._flows[here, there], "client"
        return self._flows[there, here], "server"


def _addressed(life: Life, event: Event) -> Any:
    """The other side of one call on a datagram socket, None if it names none."""
    if event.call == "sendto":
        return event.result[1 if event.error is None else -1]
    named = event.call == "sendmsg" or event.call in RECEIVING
    if named and event.error is None and _pair(event.result):
        address = event.result[1]
        return life.peer if address is None else address
    return life.peer


def _pair(result: Any) -> bool:
    return isinstance(result, tuple) and not isinstance(result, Cut)


def payload(event: Event) -> tuple[bytes, int]:
    """(first bytes, number of bytes) of what the call moved."""
    if event.error or event.call not in (*SENDS, *RECEIVING):
        return b"", 0
    data = event.result[0] if _pair(event.result) else event.result
    return data if isinstance(data, Cut) else (data[:KEPT], len(data))
