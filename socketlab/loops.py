"""A loop around select(), turn by turn: what was asked, what was ready, what was called for it.

A turn begins when select() returns and ends when it is called again. Everything here derives from
spans, and the words are the same from run to run: no times in them, and what was ready together
stands in the order of the letters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from socketlab.conversation import INTEREST, RECEIVES, SENDS, Interest, Span
from socketlab.dialogue import HASTY, call_words
from socketlab.words import aligned

READ, WRITE, EXCEPT = 1, 2, 4
KINDS = {READ: "READ", WRITE: "WRITE", EXCEPT: "EXCEPT"}
LISTENER, OTHER = "listener", "other"
SERVES = {READ: ("accept", *RECEIVES), WRITE: SENDS}  # the calls that a readiness is meant for
ENDS = ("close", "unregister")
ENDED = ("stopped", "unfinished")
MOST, FIRST, LAST = 40, 24, 12  # turns that are listed in full; else how many at each end
Masks = dict[str, int]  # of sockets, by name


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a turn: the name of its socket, the words for it, and the span."""

    name: str
    words: str
    span: Span


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a loop; turn 0 is what was done before the first select().

    `asked` is what that select() was to watch, `ready` what it returned, `pending` what the next
    one is to watch, each a mask by name. `waited` is how many seconds select() took, `error` what
    it raised. `times` counts turns that were all alike and moved nothing.
    """

    number: int
    asked: Masks = field(default_factory=dict)
    ready: Masks = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    pending: Masks = field(default_factory=dict)
    waited: float = 0.0
    error: str = ""
    times: int = 1

    @property
    def waits(self) -> bool:
        """Whether its select() had not returned when the recording or the server ended."""
        return self.error in ENDED

    @property
    def unserved(self) -> Masks:
        """What was ready, and nothing was called for it: select() will return it again."""
        left = {name: mask & ~self._served(name) for name, mask in self.ready.items()}
        return {name: mask & self.pending.get(name, 0) for name, mask in left.items() if mask}

    def _served(self, name: str) -> int:
        made = {call.span.call for call in self.calls if call.name == name}
        if not made.isdisjoint(ENDS):
            return READ | WRITE | EXCEPT
        return sum(mask for mask, calls in SERVES.items() if not made.isdisjoint(calls))

    def __repr__(self) -> str:
        return "\n".join(f"{left:17}  {right}".rstrip() for left, right in self._lines())

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield title(self), ""
        yield "asked about", mask_words(self.asked)
        yield "select() returned", returned(self)
        for i, words in enumerate(called(self)):
            yield "" if i else "called", words
        for i, words in enumerate(left_over(self)):
            yield "" if i else "still pending", words


# --- words --------------------------------------------------------------------------------------


def title(turn: Turn) -> str:
    """Which turn it is: "turn 3", "before the loop"."""
    return f"turn {turn.number}" if turn.number else "before the loop"


def mask_words(masks: Masks) -> str:
    """Sockets by what they are asked about, or ready for: "READ listener, A; WRITE A"."""
    kinds = {kind: [n for n in masks if masks[n] & bit] for bit, kind in KINDS.items()}
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names) or "-"


def returned(turn: Turn) -> str:
    """What its select() came back with."""
    if turn.waits:
        return "(still waits)"
    if turn.error:
        return f"raised {turn.error}"
    return mask_words(turn.ready) if turn.ready or not turn.number else "nothing"


def called(turn: Turn) -> list[str]:
    """The calls of a turn, one a line."""
    lines = [call.words for call in turn.calls] or ["-" if turn.waits else "nothing"]
    return [*lines, "(again and again)"] if turn.times > 1 else lines


def left_over(turn: Turn) -> list[str]:
    """What the next select() is asked about, and what it will find ready at once."""
    lines = [mask_words(turn.pending)]
    return [*lines, f"still ready: {mask_words(turn.unserved)}"] if turn.unserved else lines


def describe_turns(turns: Sequence[Turn]) -> str:
    """A table of turns: what select() returned, what was called, what is still pending."""
    table = [("turn", "select() returned", "called", "still pending")]
    for turn in turns if len(turns) <= MOST else turns[:FIRST]:
        table += _rows(turn)
    if len(turns) > MOST:
        table.append(("...", f"{len(turns) - FIRST - LAST} more", "", ""))
        table += [row for turn in turns[-LAST:] for row in _rows(turn)]
    return aligned(table)


def _rows(turn: Turn) -> list[tuple[str, str, str, str]]:
    calls, left = called(turn), left_over(turn)
    first = (str(turn.number), returned(turn)) if turn.number else ("", "(before the loop)")
    height = max(len(calls), len(left))
    calls, left = ([*lines, *[""] * (height - len(lines))] for lines in (calls, left))
    return [
        (*(first if i == 0 else ("", "")), *both)
        for i, both in enumerate(zip(calls, left, strict=True))
    ]


# --- from spans ---------------------------------------------------------------------------------


def turns_of(spans: Iterable[Span], thread: str | None = None) -> list[Turn]:
    """The turns of one thread's loop; of the first server's, if none is named.

    ValueError if no thread of that name called select().
    """
    spans = sorted(spans, key=lambda span: (span.start, span.end))
    thread = _chosen(spans, thread)
    return list(_numbered(_folded(_Reader(thread).read(spans))))


def _chosen(spans: Sequence[Span], thread: str | None) -> str:
    selects = [span for span in spans if span.call == "select"]
    threads = list(
        dict.fromkeys(s.thread for s in sorted(selects, key=lambda s: s.side != "server"))
    )
    if not threads:
        raise ValueError(
            "There is no loop to show: nobody called select() while this was recorded. Record a "
            "server or a client that waits with `selectors` or with `select.select`."
        )
    if thread is not None and thread not in threads:
        raise ValueError(f"{thread!r} called no select(). Choose one of: {', '.join(threads)}.")
    return threads[0] if thread is None else thread


class _Reader:
    """Goes through the spans in time order, and knows what each selector is to watch."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.interest: dict[int, Masks] = defaultdict(dict)  # by number of the selector
        self.turn = Turn(0)
        self.selector = 0
        self.calls: list[Call] = []

    def read(self, spans: Sequence[Span]) -> Iterator[Turn]:
        """The turns, not yet folded; turn 0 first."""
        for span in spans:
            mine = span.thread == self.thread
            if mine and span.call == "select":
                yield self._end(span)
                self._begin(span)
            elif mine and span.error == "stopped":
                break
            else:
                self._learn(span, mine)
            if mine and self.turn.waits:
                break
        yield self._end(None)

    def _begin(self, span: Span) -> None:
        about = span.interest or Interest(0)
        self.selector = about.selector
        ready = _merged(about.ready)
        asked = _ordered({**ready, **(self._asked(about))})
        self.turn = Turn(1, asked, ready, waited=span.end - span.start, error=span.error)

    def _asked(self, about: Interest) -> Masks:
        return self.interest[about.selector] if about.selector else _merged(about.asked)

    def _learn(self, span: Span, mine: bool) -> None:
        if span.call in INTEREST and span.interest and not span.error:
            for name, mask in span.interest.asked:
                known = self.interest[span.interest.selector]
                known.pop(name, None) if span.call == "unregister" else known.update({name: mask})
        if mine:
            self.calls.append(Call(_whose(span), _told(span), span))

    def _end(self, following: Span | None) -> Turn:
        """The turn that ends with the next select(), or with the recording."""
        about = following.interest if following and following.interest else None
        pending = self._asked(about) if about else self.interest[self.selector]
        if self.turn.waits or (not about and not self.selector):
            pending = self.turn.asked
        calls, self.calls = _in_order(self.calls, self.turn.ready), []
        return replace(self.turn, calls=calls, pending=_ordered(pending))


def _whose(span: Span) -> str:
    """The name of the socket that a call is about."""
    if span.call == "accept":
        return LISTENER
    if span.interest and span.interest.asked:
        return span.interest.asked[0][0]
    return span.conn or OTHER


def _told(span: Span) -> str:
    """A call as it might stand in a program: `A.recv() = b'hello'`, `register(A, READ)`."""
    name = _whose(span)
    if span.call in INTEREST:
        mask = span.interest.asked[0][1] if span.interest and span.interest.asked else 0
        kinds = " | ".join(kind for bit, kind in KINDS.items() if mask & bit)
        call = f"{span.call}({', '.join(filter(None, (name, kinds)))})"
        return f"{call}  {span.error}" if span.error else call
    words = call_words(replace(span, error="BlockingIOError") if span.error in HASTY else span)
    if span.call == "accept":
        return words if span.error else f"{words} = {span.conn or OTHER}"
    return f"{name}.{words}"


def _in_order(calls: Sequence[Call], ready: Masks) -> tuple[Call, ...]:
    """The calls for what was ready, by the order of names; those for one socket as they came.

    In which order a selector hands over what was ready together is its own affair.
    """
    groups: dict[str, list[Call]] = {"": []}
    current = ""
    for call in calls:
        current = call.name if call.name in ready else current
        groups.setdefault(current, []).append(call)
    return tuple(call for name in sorted(groups, key=rank) for call in groups[name])


def _merged(pairs: Iterable[tuple[str, int]]) -> Masks:
    """One mask for each name: some systems tell READ and WRITE of a socket one by one."""
    masks: Masks = {}
    for name, mask in pairs:
        masks[name] = masks.get(name, 0) | mask
    return _ordered(masks)


def _ordered(masks: Masks) -> Masks:
    return {name: masks[name] for name in sorted(masks, key=rank)}


def rank(name: str) -> tuple[int, int, str]:
    """The listener before the connections, and these by letter."""
    place = {"": 0, LISTENER: 1, OTHER: 3}.get(name, 2)
    return place, len(name), name


def _folded(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Turns that are all alike and moved nothing, as one."""
    last: Turn | None = None
    for turn in turns:
        if last and _is_idle(turn) and _key(turn) == _key(last):
            last = replace(last, times=last.times + 1, waited=min(last.waited, turn.waited))
            continue
        if last:
            yield last
        last = turn
    if last:
        yield last


def _is_idle(turn: Turn) -> bool:
    spans = [call.span for call in turn.calls]
    nothing = (span.error or (span.call in RECEIVES and not span.nbytes) for span in spans)
    return bool(turn.number) and not turn.error and all(nothing)


def _key(turn: Turn) -> tuple:
    words = tuple(call.words for call in turn.calls)
    return turn.number > 0, turn.error, turn.asked, turn.ready, turn.pending, words


def _numbered(turns: Iterable[Turn]) -> Iterator[Turn]:
    for number, turn in enumerate(turns):
        if number or turn.calls:
            yield replace(turn, number=number)
