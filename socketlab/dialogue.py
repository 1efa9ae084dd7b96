"""One connection as a table in words: client, arrow, server; each column in the order of calls."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence

from socketlab.conversation import RECEIVES, SENDS, Arrow, Connection, Span

SHOWN = 24  # bytes of a payload that are shown
HASTY = ("EAGAIN", "EWOULDBLOCK", "EALREADY")  # "not yet": the answer to who was too fast
OPENING = ("connect", "connect_ex", "accept")

Row = tuple[str, str, str]  # (client's call, arrow, server's call)


def told(spans: Sequence[Span]) -> list[Span]:
    """The calls of one side that are worth a line, whoever was faster.

    Not: a call that the kit ended; one that came too early and was tried again; a look (MSG_PEEK)
    at what the next receive takes.
    """
    kept: list[Span] = []
    later: dict[str, set[str]] = defaultdict(set)  # by thread: what it called after this
    for span in reversed(spans):
        again = span.error in HASTY and span.call in later[span.thread]
        looks = span.call == "peek" and not later[span.thread].isdisjoint((*RECEIVES, "peek"))
        if span.error != "stopped" and not again and not looks:
            kept.append(span)
            later[span.thread].add(span.call)
    return kept[::-1]


def rows(connection: Connection) -> list[Row]:
    """A row for each arrow and for each call without one.

    A call stands below those of its own thread that came before it and those that it needed;
    where nothing decides, the client's stand first.
    """
    return list(_Table(connection).rows())


class _Table:
    """What is still to be told of one connection, thread by thread."""

    def __init__(self, connection: Connection) -> None:
        spans = [*told(connection.client), *told(connection.server)]
        self.queues = _queues(spans)
        self.leaving: dict[int, list[Arrow]] = defaultdict(list)  # by id() of the call
        self.coming: dict[int, list[Arrow]] = defaultdict(list)
        for arrow in connection.arrows:
            for span, arrows in ((arrow.sent_by, self.leaving), (arrow.met_by, self.coming)):
                if span:
                    arrows[id(span)].append(arrow)
        self.needs = _needs(spans, met={id(a.sent_by) for a in connection.arrows if a.met_by})
        self.done: set[int] = set()
        self.elsewhere = _elsewhere(connection)

    def rows(self) -> Iterator[Row]:
        while waiting := [queue for queue in self.queues if queue]:
            free = [queue for queue in waiting if self._is_free(queue)]
            ready = [queue for queue in free if self._is_ready(queue[0])]
            if ready:
                yield from self._tell(ready[0].popleft())
            else:  # arrows that cross: one leaves in a row of its own
                yield from self._tell_departure((free or waiting)[0].popleft())

    def _is_free(self, queue: deque[Span]) -> bool:
        return self.needs[id(queue[0])] <= self.done

    def _is_ready(self, span: Span) -> bool:
        """Whether all of its arrows can be drawn: each other end is told already or comes next."""
        if not self.coming[id(span)]:
            return not any(arrow.met_by for arrow in self.leaving[id(span)])
        missing = {id(a.sent_by) for a in self.coming[id(span)] if a.sent_by} - self.done
        for queue in self.queues:
            for other in queue:
                if id(other) not in missing or not self.needs[id(other)] <= self.done | missing:
                    break
                missing.discard(id(other))
        return not missing

    def _tell(self, span: Span) -> Iterator[Row]:
        """The rows of a call that is ready."""
        if not self.coming[id(span)]:
            yield from self._tell_departure(span)
            return
        named = False
        for arrow in self.coming[id(span)]:
            more = f"same {_name(span)}, {_payload(arrow.data, arrow.nbytes)}"
            yield self._row(arrow, self._sender(arrow), more if named else call_words(span))
            named = True
        self.done.add(id(span))
        for sender in dict.fromkeys(a.sent_by for a in self.coming[id(span)] if a.sent_by):
            yield from self._tell_rest(sender)

    def _sender(self, arrow: Arrow) -> str:
        """The call that an arrow leaves from, if it is not told yet."""
        sender = arrow.sent_by
        if not sender or id(sender) in self.done:
            return ""
        for queue in self.queues:
            if queue and queue[0] is sender:
                queue.popleft()
        self.done.add(id(sender))
        return call_words(sender)

    def _tell_rest(self, sender: Span) -> Iterator[Row]:
        """What of a send was never received, when all that was received is told."""
        arrows = self.leaving[id(sender)]
        if all(id(arrow.met_by) in self.done for arrow in arrows if arrow.met_by):
            yield from (self._row(arrow, "", "") for arrow in arrows if not arrow.met_by)

    def _tell_departure(self, span: Span) -> Iterator[Row]:
        """A call by itself, with the arrows that leave from it into the void."""
        self.done.add(id(span))
        if arrows := self.leaving[id(span)]:
            yield self._row(arrows[0], call_words(span), "")
        else:
            yield (
                (call_words(span), "", "") if span.side == "client" else ("", "", call_words(span))
            )

    def _row(self, arrow: Arrow, sender: str, receiver: str) -> Row:
        line = "--" if arrow.kind == "data" else ".."
        seen = arrow.met_by or (self.elsewhere and arrow.sent_by and not arrow.sent_by.error)
        if arrow.source == "client":
            return sender, line + ">" if seen else line[0] + "x", receiver
        return receiver, "<" + line if seen else line[0] + "x", sender


def _queues(spans: list[Span]) -> list[deque[Span]]:
    """The calls of each thread. The client's threads first, and who opened the connection."""
    threads: dict[tuple[str, str], deque[Span]] = defaultdict(deque)
    for span in spans:
        threads[span.side, span.thread].append(span)

    def rank(key: tuple[str, str]) -> tuple[bool, bool, str]:
        side, thread = key
        return side == "server", threads[key][0].call not in OPENING, thread

    return [threads[key] for key in sorted(threads, key=rank)]


def _needs(spans: list[Span], met: Collection[int]) -> dict[int, set[int]]:
    """By id() of each call: those that were certainly before, and stand in another queue.

    Of its own side that is the call that opened the connection; before close(), every call. Of
    the other side it is what its own thread did there, for one thread may play both parts; but
    not a call of `met`, whose arrow was met: that one stands beside the call that met it.
    """
    needs: dict[int, set[int]] = defaultdict(set)
    alone = [span for span in spans if id(span) not in met]
    for i, span in enumerate(spans):
        before = [other for other in spans[:i] if other.side == span.side]
        if span.call != "close":
            before = [other for other in before[:1] if other.call in OPENING]
        there = [it for it in alone if it.thread == span.thread and it.side != span.side]
        before += [other for other in there if other.start < span.start]
        needs[id(span)].update(map(id, before))
    return needs


def _elsewhere(connection: Connection) -> bool:
    """Whether one end is in another process: it was never seen, but it did something."""
    one, other = connection.client, connection.server
    both = not one or not other
    return both and any(s.call in RECEIVES and not s.error for s in (*one, *other))


def call_words(span: Span) -> str:
    """A call as it would be written, and what came of it."""
    call = _name(span)
    if span.error:
        return f"{call}  {span.error}"
    if span.call in SENDS:
        return f"{span.call}({_payload(span.data, span.nbytes)})"
    if span.call.startswith(("recv", "peek")):
        return f"{call} = {_payload(span.data, span.nbytes)}"
    return call


def _name(span: Span) -> str:
    return span.call if span.call.endswith(")") else f"{span.call}()"


def _payload(data: bytes, nbytes: int) -> str:
    """b'hello' while it is short, else its beginning and its length."""
    if nbytes <= SHOWN and len(data) == nbytes:
        return repr(data)
    return f"{data[:8]!r}… {nbytes:,} bytes"
