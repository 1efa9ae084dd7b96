"""Which bytes met which reads: spans of socket calls, made into connections and arrows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Literal

Side = Literal["client", "server"]
Kind = Literal["handshake", "data", "end", "reset"]

SENDS = ("send", "sendall", "sendto", "sendmsg")
RECEIVES = ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg")
RESETS = ("ECONNRESET", "EPIPE", "ECONNABORTED")


@dataclass(frozen=True, slots=True)
class Span:
    """One socket call: who made it on which connection, from when to when, with what outcome.

    `start` and `end` are seconds on one monotonic clock, zero at the recording's first span.
    `nbytes` is what the call moved (accepted by the kernel or received), `data` its first bytes.
    `error` is the errno's name ("ECONNRESET"), else the exception's type name, "" if there was
    none; "stopped" if the kit ended the call, "unfinished" if it still ran when recording ended.
    `conn` is "" for calls that belong to no one connection (`select`, an `accept` without a client).
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
    `select` and waiting `accept` calls among them, in time order), by thread name."""

    connections: tuple[Connection, ...] = ()
    server_threads: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    end: float = 0.0


def conversation(spans: Iterable[Span]) -> Conversation:
    """The connections in `spans`, with each send joined to the receives that its bytes met.

    Bytes are paired by their place in the stream, not by call: TCP has no messages (RFC 9293).
    Datagrams are paired whole (RFC 768).
    """
    spans = sorted(spans, key=lambda span: (span.start, span.end))
    end = max((span.end for span in spans), default=0.0)
    by_name: dict[str, list[Span]] = {}
    for span in spans:
        if span.conn:
            by_name.setdefault(span.conn, []).append(span)
    connections = sorted((_connection(*item, end) for item in by_name.items()), key=_order)
    threads = dict.fromkeys(s.thread for s in spans if s.side == "server")
    server_threads = {name: tuple(s for s in spans if _at_server(s, name)) for name in threads}
    return Conversation(tuple(connections), server_threads, end)


def _at_server(span: Span, thread: str) -> bool:
    return span.thread == thread and span.side == "server"


def _order(connection: Connection) -> tuple[int, str]:
    return len(connection.name), connection.name


def _connection(name: str, spans: list[Span], end: float) -> Connection:
    client = tuple(span for span in spans if span.side == "client")
    server = tuple(span for span in spans if span.side == "server")
    accepted = next((s.end for s in server if s.call == "accept" and not s.error), None)
    closes = [s.end for s in spans if s.call == "close"]
    open_ends = bool(client) + bool(server)
    return Connection(
        name,
        client,
        server,
        tuple(_arrows(client, server)),
        opened=(client or server)[0].start,
        accepted=accepted,
        closed=max(closes) if len(closes) >= open_ends else end,
    )


def _arrows(client: tuple[Span, ...], server: tuple[Span, ...]) -> list[Arrow]:
    """Every arrow of a connection, in the order in which they left."""
    arrows = [*_handshake(client, server)]
    for source, one, other in (("client", client, server), ("server", server, client)):
        arrows += _flow(source, one, other)
    return sorted(arrows, key=lambda arrow: arrow.left)


def _handshake(client: tuple[Span, ...], server: tuple[Span, ...]) -> Iterator[Arrow]:
    connect = next((s for s in client if s.call in ("connect", "connect_ex")), None)
    accept = next((s for s in server if s.call == "accept"), None)
    if connect:
        met = accept.end if accept else None
        yield Arrow("client", "handshake", connect.start, met, sent_by=connect, met_by=accept)


def _flow(source: Side, one: tuple[Span, ...], other: tuple[Span, ...]) -> Iterator[Arrow]:
    """What went from one side to the other: data, then how the stream ended."""
    sends = [s for s in one if s.call in SENDS and s.nbytes]
    receives = [s for s in other if s.call in RECEIVES and s.nbytes]
    datagrams = any(s.call in ("sendto", "recvfrom") for s in (*one, *other))
    yield from (_whole if datagrams else _pieces)(source, sends, receives)
    reset = next((s for s in other if s.error in RESETS), None)
    ends = next((s for s in other if s.call in RECEIVES and not s.nbytes and not s.error), None)
    last = next((s for s in one if s.call in ("shutdown", "close")), None)
    met = reset or ends
    if last and met and not datagrams:
        kind: Kind = "reset" if reset else "end"
        yield Arrow(source, kind, last.start, met.end, sent_by=last, met_by=met)


def _whole(source: Side, sends: list[Span], receives: list[Span]) -> Iterator[Arrow]:
    """Datagrams: each met as a whole, or lost."""
    left = list(receives)
    for send in sends:
        met = next((r for r in left if send.data.startswith(r.data) and r.end >= send.start), None)
        if met:
            left.remove(met)
        yield _data(source, send, met, send.nbytes, send.data)


def _pieces(source: Side, sends: list[Span], receives: list[Span]) -> Iterator[Arrow]:
    """A stream: one arrow for each piece that one call sent and one call received."""
    sent, received = _extents(sends), _extents(receives)
    cuts = sorted({0, *(end for _, _, end in sent), *(end for _, _, end in received)})
    for start, end in pairwise(cuts):
        send = next(((s, a) for s, a, b in sent if a <= start < b), None)
        met = next(((s, a) for s, a, b in received if a <= start < b), None)
        span, begins = send or met  # type: ignore[misc]
        data = span.data[start - begins : end - begins]
        yield _data(source, send and send[0], met and met[0], end - start, data)


def _extents(spans: list[Span]) -> list[tuple[Span, int, int]]:
    """(span, first offset, offset after the last) in the stream, for each call."""
    ends = list(accumulate(span.nbytes for span in spans))
    return [(span, end - span.nbytes, end) for span, end in zip(spans, ends, strict=True)]


def _data(source: Side, send: Span | None, met: Span | None, nbytes: int, data: bytes) -> Arrow:
    left = send.start if send else met.start if met else 0.0
    return Arrow(source, "data", left, met.end if met else None, nbytes, data, send, met)
