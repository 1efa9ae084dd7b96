"""What threads did between their socket calls: a server works, a client thinks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from socketlab.conversation import Connection, Conversation, Side, Span

INSTANT = 0.001  # seconds: what is shorter is a point in time, never a stretch
RECEIVING = frozenset({"recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "read"})


class Gap(NamedTuple):
    """A stretch of at least 1 ms between two calls, in seconds: on the server side the thread
    worked for `conn`, on the client side nobody made a call on `conn`."""

    conn: str
    side: Side
    thread: str
    start: float
    end: float


def gaps(conversation: Conversation) -> list[Gap]:
    """All gaps of a conversation, in the order of their start.

    A server thread works from an accept() that returned, or a recv() that returned data, until
    the next call of that thread; a client thinks between two calls on one connection.
    """
    threads = conversation.server_threads.values()
    found = [gap for spans in threads for gap in work(pairwise(spans))]
    found += [gap for connection in conversation.connections for gap in pauses(connection)]
    return sorted(found, key=lambda gap: (gap.start, gap.end, gap.conn))


def work(pairs: Iterable[tuple[Span, Span]]) -> Iterator[Gap]:
    """The stretches of work of one server thread: `pairs` are each of its spans and the next."""
    for last, span in pairs:
        if span.start - last.end >= INSTANT and _brings_work(last):
            yield Gap(last.conn, "server", last.thread, last.end, span.start)


def pauses(connection: Connection) -> Iterator[Gap]:
    """The stretches in which no client thread was in a call on this connection."""
    end: float | None = None
    for span in sorted(connection.client, key=lambda span: span.start):
        if end is not None and span.start - end >= INSTANT:
            yield Gap(connection.name, "client", span.thread, end, span.start)
        end = max(end or 0.0, span.end)


def _brings_work(span: Span) -> bool:
    if not span.conn or span.error:
        return False
    return span.call == "accept" or (span.call in RECEIVING and span.nbytes > 0)
