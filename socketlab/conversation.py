"""Which bytes met which reads: spans of socket calls, made into connections and arrows."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

Side = Literal["client", "server"]
Kind = Literal["handshake", "data", "end", "reset"]

SIDES: tuple[Side, Side] = ("server", "client")
SENDS = ("send", "sendall", "sendto", "sendmsg")
RECEIVES = ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into")
EMPTY = tuple(f"{call}(0)" for call in RECEIVES)  # asked for nothing: b"" is not the end
RESETS = ("ECONNRESET", "EPIPE", "ECONNABORTED")
INTEREST = ("register", "modify", "unregister")  # calls of a selector about one socket
UNDECIDED = ("", "EINPROGRESS", "EWOULDBLOCK", "unfinished")  # a connect() that may come about


Masks = tuple[tuple[str, int], ...]  # (name, any of 1 READ, 2 WRITE and 4) of each socket


class Interest(NamedTuple):
    """What a call of a selector was about: which sockets were asked about, which were ready.

    `selector` is its number in the recording, 0 for `select.select`. A `select()` of a selector
    does not repeat what was registered; a `register()` or `modify()` has the new mask of one
    socket, `unregister()` has 0. A socket's name is its connection's letter, or "listener".
    """

    selector: int
    asked: Masks = ()
    ready: Masks = ()


@dataclass(frozen=True, slots=True)
class Span:
    """One socket call: who made it on which connection, from when to when, with what outcome.

    `start` and `end` are seconds on one monotonic clock, zero at the recording's first span.
    `nbytes` is what the call moved (accepted by the kernel or received), `data` its first bytes.
    `error` is the errno's name ("ECONNRESET"), else the exception's type name, "" if there was
    none; "stopped" if the kit ended the call, "unfinished" if it still ran when recording ended.
    `conn` is "" for calls of no one connection (`select`, an `accept` without a client).
    `call` is the method's name, but "peek" for any receive with MSG_PEEK, and "recv(0)" (and the
    like) for one that asks for no bytes. `datagram` is true where messages keep their bounds.
    `interest` is there for `select`, and for the calls of INTEREST, which have no `conn`.
    """

    conn: str
    side: Side
    thread: str
    call: str
    start: float
    end: float
    nbytes: int = 0
    error: str = ""
    data: bytes = b""
    datagram: bool = False
    interest: Interest | None = None


@dataclass(frozen=True, slots=True)
class Arrow:
    """What left one side and when the other side had it: `left` is when the sending call began,
    `met` when the call that received it returned, None if none ever did.

    `kind` is "handshake" (connect to accept), "data", "end" (end of stream) or "reset".
    One `data` arrow is one contiguous piece that one call sent and one call received.
    """

    source: Side
    kind: Kind
    left: float
    met: float | None
    nbytes: int = 0
    data: bytes = b""
    sent_by: Span | None = None
    met_by: Span | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection as both ends saw it: each side's spans in time order, and the arrows.

    `accepted` is when the server's accept() returned it, None if it never did;
    `opened` is when the client's connect() began, `closed` when the last end was closed or the
    recording ended.
    """

    name: str
    client: tuple[Span, ...]
    server: tuple[Span, ...]
    arrows: tuple[Arrow, ...]
    opened: float
    accepted: float | None
    closed: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """All connections of a recording, and what each server thread did (every span it made,
    `select` and waiting `accept` calls among them, but not those of INTEREST, in time order), by
    thread name; likewise each client thread."""

    connections: tuple[Connection, ...] = ()
    server_threads: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    end: float = 0.0
    client_threads: dict[str, tuple[Span, ...]] = field(default_factory=dict)

    def threads(self, side: Side) -> dict[str, tuple[Span, ...]]:
        """What each thread of this side did, by its name."""
        return self.server_threads if side == "server" else self.client_threads


def conversation(spans: Iterable[Span]) -> Conversation:
    """The connections in `spans`, with each send joined to the receives that its bytes met.

    Bytes are paired by their place in the stream, not by call: TCP has no messages (RFC 9293).
    Datagrams are paired whole (RFC 768). Every byte that was sent or received is in one arrow.
    TypeError if `spans` is anything but a recording or other spans.
    """
    spans = sorted(_checked(spans), key=lambda span: (span.start, span.end))
    end = max((span.end for span in spans), default=0.0)
    by_name: dict[str, list[Span]] = defaultdict(list)
    threads: dict[Side, dict[str, list[Span]]] = {side: defaultdict(list) for side in SIDES}
    for span in spans:
        if span.conn:
            by_name[span.conn].append(span)
        if span.call not in INTEREST:
            threads[span.side][span.thread].append(span)
    connections = sorted((_connection(*item, end) for item in by_name.items()), key=_order)
    server, client = (
        {name: tuple(calls) for name, calls in threads[side].items()} for side in SIDES
    )
    return Conversation(tuple(connections), server, end, client)


def _checked(spans: Iterable[Span]) -> list[Span]:
    try:
        found = list(spans)
    except TypeError:
        found = [spans]  # type: ignore[list-item]
    for thing in found:
        if not isinstance(thing, Span):
            if isinstance(thing, Iterable) and not isinstance(thing, str | bytes):
                raise TypeError("give recordings one by one, not in a list: (first, second)")
            raise TypeError(
                f"{thing!r:.80} is not a recording: pass what record() returned, "
                "or an iterable of its spans"
            )
    return found


def _order(connection: Connection) -> tuple[int, str]:
    return len(connection.name), connection.name


def _connection(name: str, spans: list[Span], end: float) -> Connection:
    client = tuple(span for span in spans if span.side == "client")
    server = tuple(span for span in spans if span.side == "server")
    accepted = next((s.end for s in server if s.call == "accept" and not s.error), None)
    closes = {s.side: s.end for s in spans if s.call == "close"}
    return Connection(
        name,
        client,
        server,
        tuple(_arrows(client, server)),
        opened=(client or server)[0].start,
        accepted=accepted,
        closed=max(closes.values()) if len(closes) == bool(client) + bool(server) else end,
    )


def _arrows(client: Sequence[Span], server: Sequence[Span]) -> list[Arrow]:
    """Every arrow of a connection, in the order in which they left."""
    arrows = [
        *_handshake(client, server),
        *_flow("client", client, server),
        *_flow("server", server, client),
    ]
    return sorted(arrows, key=lambda arrow: arrow.left)


def _handshake(client: Sequence[Span], server: Sequence[Span]) -> Iterator[Arrow]:
    connects = [s for s in client if s.call in ("connect", "connect_ex") and not s.datagram]
    accept = next((s for s in server if s.call == "accept"), None)
    if connects:
        connect = next((s for s in connects if s.error in UNDECIDED), connects[-1])
        met = accept.end if accept else None
        yield Arrow("client", "handshake", connect.start, met, sent_by=connect, met_by=accept)


def _flow(source: Side, one: Sequence[Span], other: Sequence[Span]) -> Iterator[Arrow]:
    """What went from one side to the other: data, then how the stream ended."""
    if any(s.datagram for s in (*one, *other)):
        sends = [s for s in one if s.call in SENDS and not s.error]
        receives = [s for s in other if s.call in (*RECEIVES, *EMPTY) and not s.error]
        yield from _whole(source, sends, receives)
    else:
        sends = [s for s in one if s.call in SENDS and (s.nbytes or s.error)]
        receives = [s for s in other if s.call in RECEIVES and s.nbytes]
        receives.sort(key=lambda span: span.end)  # of two that waited, the first to return
        yield from _pieces(source, sends, receives)
        yield from _endings(source, one, other)


def _endings(source: Side, one: Sequence[Span], other: Sequence[Span]) -> Iterator[Arrow]:
    """The end of the stream, if the other side read it; the reset, if a call of it failed so."""
    own_end = min((s.start for s in other if s.call == "shutdown"), default=float("inf"))
    end = next((s for s in other if s.call in RECEIVES and not s.nbytes and not s.error), None)
    reset = next(
        (s for s in other if s.error in RESETS and (s.error != "EPIPE" or s.start < own_end)), None
    )
    kinds: list[tuple[Kind, Span | None, tuple[str, ...]]] = [
        ("end", end, ("shutdown", "close")),
        ("reset", reset, ("close",)),
    ]
    for kind, met, calls in kinds:
        last = next((s for s in one if s.call in calls and not s.error), None)
        if met and last and last.start <= met.end:
            yield Arrow(source, kind, last.start, met.end, sent_by=last, met_by=met)


# --- whose bytes were whose ---------------------------------------------------------------------


def _whole(source: Side, sends: list[Span], receives: list[Span]) -> Iterator[Arrow]:
    """Datagrams: each met as a whole or cut short, or lost."""
    met = _match(sends, receives, lambda span: (span.nbytes, span.data))
    had = {id(receive) for receive in met.values()}
    for size in sorted({r.nbytes for r in receives if id(r) not in had}):
        longer = [s for s in sends if s.nbytes > size and id(s) not in met]
        cut = [r for r in receives if r.nbytes == size and id(r) not in had]
        met |= _match(longer, cut, _beginning(size))
    had = {id(receive) for receive in met.values()}
    for send in sends:
        yield _data(source, send, met.get(id(send)), send.nbytes, send.data)
    for receive in receives:
        if id(receive) not in had:
            yield _data(source, None, receive, receive.nbytes, receive.data)


def _beginning(size: int) -> Callable[[Span], Hashable]:
    return lambda span: span.data[:size]


def _match(
    sends: list[Span], receives: list[Span], content: Callable[[Span], Hashable]
) -> dict[int, Span]:
    """By id() of a send: the receive of equal content; of several, the earlier the earlier."""
    waiting: dict[Hashable, deque[Span]] = defaultdict(deque)
    for send in sends:
        waiting[content(send)].append(send)
    met = {}
    for receive in receives:
        queue = waiting[content(receive)]
        if queue and queue[0].start <= receive.end:
            met[id(queue.popleft())] = receive
    return met


def _pieces(source: Side, sends: list[Span], receives: list[Span]) -> Iterator[Arrow]:
    """A stream: one arrow for each piece that one call sent and one call received."""
    first = _offset(sends, receives)
    more = first + sum(span.nbytes for span in receives) - sum(span.nbytes for span in sends)
    sent, received = _extents(sends, 0, more), _extents(receives, first)
    cuts = sorted({place for extent in (*sent, *received) for place in extent[1:]})
    for start, end in pairwise(cuts):
        send, met = _at(sent, start), _at(received, start)
        if here := [extent for extent in (send, met) if extent]:
            data = max((e.span.data[start - e.start : end - e.start] for e in here), key=len)
            yield _data(source, send and send.span, met and met.span, end - start, data)


def _offset(sends: list[Span], receives: list[Span]) -> int:
    """Where in the stream sent the first receive begins: at 0, unless calls went unseen.

    Those are calls that other threads were in when the recording began.
    """
    places = accumulate((span.nbytes for span in sends), initial=0)
    for place, send in zip(places, sends, strict=False):
        if not receives or _alike(send, receives[0]):
            return place
    places = accumulate((span.nbytes for span in receives), initial=0)
    for place, receive in zip(places, receives, strict=False):
        if sends and _alike(sends[0], receive):
            return -place
    return 0


def _alike(one: Span, other: Span) -> bool:
    """Whether both may begin with the same byte of the stream."""
    return one.data.startswith(other.data) or other.data.startswith(one.data)


class _Extent(NamedTuple):
    """What one call moved: bytes `start` up to `end` of the stream."""

    span: Span
    start: int
    end: int


def _extents(spans: list[Span], at: int, more: int = 0) -> deque[_Extent]:
    """What each call moved. If `more` bytes were received than sent, the last failed sendall()
    sent them: that one cannot say how far it came."""
    failed = [span for span in spans if span.call == "sendall" and span.error]
    found: deque[_Extent] = deque()
    for span in spans:
        size = span.nbytes + (max(more, 0) if failed and span is failed[-1] else 0)
        found.append(_Extent(span, at, at + size))
        at += size
    return found


def _at(extents: deque[_Extent], place: int) -> _Extent | None:
    """The call that moved the byte at `place`; those before it are taken off."""
    while extents and extents[0].end <= place:
        extents.popleft()
    return extents[0] if extents and extents[0].start <= place else None


def _data(source: Side, send: Span | None, met: Span | None, nbytes: int, data: bytes) -> Arrow:
    left = send.start if send else met.start if met else 0.0
    return Arrow(source, "data", left, met.end if met else None, nbytes, data, send, met)
