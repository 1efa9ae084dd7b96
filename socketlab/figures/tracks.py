"""What a picture of lanes shows of each connection and of each server thread, in seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from socketlab.conversation import Arrow, Connection, Conversation, Side, Span
from socketlab.figures.gaps import INSTANT, Gap, gaps, work

NOT_YET = {"EAGAIN", "EWOULDBLOCK", "EINPROGRESS", "EALREADY", "BlockingIOError"}
NO_FAULT = {"", "stopped", "unfinished", *NOT_YET}  # the call did not fail, it was not over
Colours = Mapping[str, str]  # of connections, by name


class Stretch(NamedTuple):
    """From when to when, in seconds."""

    start: float
    end: float


@dataclass
class Lane:
    """One connection: how long each end was open, how long it stood in the accept queue, the
    calls that blocked (1 ms and more), the gaps between calls, the arrows, the calls that failed.
    """

    name: str
    colour: str
    client: Stretch | None
    server: Stretch | None
    queued: Stretch | None
    accepted: bool
    waits: list[Span]
    gaps: list[Gap]
    arrows: tuple[Arrow, ...]
    faults: list[Span]


@dataclass
class Band:
    """One thread from its first call to its last: the calls in which it waited for one
    connection (1 ms and more) or for whoever comes, and what it worked for."""

    whole: Stretch
    waits: list[Span]
    idle: list[Span]
    work: list[Gap]


def lasted(conversation: Conversation) -> float:
    """When the last call on any connection was over: a server that waits on is left out."""
    sides = ((it.client, it.server) for it in conversation.connections)
    spans = chain.from_iterable(chain.from_iterable(sides))
    return max(map(attrgetter("end"), spans), default=conversation.end)


def lanes_of(
    conversation: Conversation, names: Mapping[str, str], colours: Colours, threads: Side
) -> list[Lane]:
    """A lane for each connection, in its colour, called what `names` says.

    A client whose threads are shown does not think between its calls: it may wait for others.
    """
    between: dict[str, list[Gap]] = defaultdict(list)
    for gap in gaps(conversation):
        if gap.side != threads or gap.side == "server":
            between[gap.conn].append(gap)
    watched = bool(conversation.server_threads)
    return [
        _lane(it, between[it.name], names.get(it.name, it.name), colours[it.name], watched)
        for it in conversation.connections
    ]


def _lane(
    connection: Connection, between: list[Gap], name: str, colour: str, watched: bool
) -> Lane:
    calls = [*connection.client, *connection.server]
    return Lane(
        name=name,
        colour=colour,
        client=client_open(connection),
        server=server_open(connection),
        queued=queued(connection) if watched else None,
        accepted=connection.accepted is not None,
        waits=[it for it in calls if it.end - it.start >= INSTANT and it.call != "accept"],
        gaps=between,
        arrows=tuple(it for it in connection.arrows if it.kind in ("data", "reset")),
        faults=[it for it in calls if it.error not in NO_FAULT],
    )


def client_open(connection: Connection) -> Stretch | None:
    """From connect() to close(), or to the end; a connect() that failed is all there was."""
    if not connection.client:
        return None
    first = connection.client[0]
    if first.call.startswith("connect") and first.error not in NO_FAULT:
        return Stretch(first.start, first.end)
    return Stretch(first.start, _closed(connection.client, connection.closed))


def server_open(connection: Connection) -> Stretch | None:
    """From when accept() returned (or the first call, if none did) to close(), or to the end."""
    if not connection.server:
        return None
    start = connection.server[0].start if connection.accepted is None else connection.accepted
    return Stretch(start, _closed(connection.server, connection.closed))


def queued(connection: Connection) -> Stretch | None:
    """From connected to accepted (or to the end), if there was a queue to stand in for 1 ms."""
    shaken = next((it for it in connection.arrows if it.kind == "handshake"), None)
    if not shaken or (connection.accepted is None and connection.server):
        return None  # no handshake was seen, or there is none to be had: datagrams
    connect, accepted = shaken.sent_by, connection.accepted
    if connect and connect.error not in NO_FAULT:
        return None
    since = connect.end if connect else shaken.left
    until = connection.closed if accepted is None else accepted
    return Stretch(since, until) if until - since >= INSTANT else None


def _closed(spans: Iterable[Span], otherwise: float) -> float:
    return max((span.end for span in spans if span.call == "close"), default=otherwise)


def bands_of(conversation: Conversation, end: float, side: Side = "server") -> list[Band]:
    """A band for each thread of a side until `end`, in the order of their first calls."""
    found = conversation.threads(side).values()
    threads = [it for it in found if it and it[0].start <= end]
    return sorted((_band(spans, end) for spans in threads), key=lambda it: it.whole.start)


def _band(spans: Sequence[Span], end: float) -> Band:
    long, apart, last = [], [], 0.0
    for before, span in zip(chain(spans[:1], spans), spans, strict=False):  # once: it takes long
        start, stop = span.start, span.end
        if stop > last:
            last = stop
        if stop - start >= INSTANT:
            long.append(span)
        if start - before.end >= INSTANT:
            apart.append((before, span))
    waits = [it for it in long if it.conn and it.call != "accept"]
    idle = [it for it in long if not it.conn or it.call == "accept"]
    return Band(Stretch(spans[0].start, min(end, last)), waits, idle, list(work(apart)))
