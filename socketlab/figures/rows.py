"""Where each instant of one connection stands on a ladder, so that no two labels can touch.

Everything that has a place in time is a `Mark`; its first and last instants are rows. A row is
at least `step` below the row before it, and far enough below the last one on its own lifeline
for the words of both; beyond that, distance grows as log(1 + ms).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from socketlab.conversation import Arrow, Connection, Side, Span
from socketlab.figures.gaps import INSTANT, RECEIVING, Gap
from socketlab.figures.sheet import LINE, duration

STEP = 0.19  # inches between two rows, at least
GROWTH = 0.15  # inches for each e-fold of 1 + ms
HALF = 0.11  # half the height of a line of text
CLEAR = 0.04  # paper between two labels, at least
FAN = 0.4  # between two arrows that share their other end: room for a label midway
CUT = 0.5  # the height of the band that stands for calls left out
MOST, FIRST, LAST = 24, 16, 12  # calls a side drawn in full; else how many at each end

What = Literal["call", "work", "moment", "cut"]


@dataclass(eq=False)
class Mark:
    """A call, a slice of work, a bare moment at an arrow's end, or the cut for calls left out.

    `words` are its name and the grey lines under it; `top` and `bottom` its height in inches.
    """

    what: What
    side: Side
    start: float
    end: float
    thread: str = ""
    words: tuple[str, ...] = ()
    span: Span | None = None
    pause: Gap | None = None  # the client's thinking before it
    pause_at: float = 0.0
    leaves_below: Mark | None = None  # its arrow leaves well below that one's, as they converge
    meets_below: Mark | None = None  # its arrow is met well below that one's, as they split
    shared: bool = False  # something else happens on this lifeline meanwhile
    top: float = 0.0
    bottom: float = 0.0

    @property
    def point(self) -> bool:
        """Too short to be a bar."""
        return self.end - self.start < INSTANT

    @property
    def instant(self) -> float:
        """Where a point stands: what sends counts from its start, what receives at its end."""
        receives = self.span and self.span.call in {*RECEIVING, "accept"}
        return self.end if receives else self.start

    @property
    def tall(self) -> float:
        """The height of its words, in inches."""
        return LINE * (len(self.words) - 1) + 2 * HALF if self.words else 0.0


@dataclass(eq=False)
class Row:
    """One end of a mark (both ends of a point) in the order of time."""

    mark: Mark
    time: float
    last: bool  # the mark is over here


def of_span(span: Span) -> Mark:
    """The mark of one call: its name, how long it waited, its error."""
    waits = () if span.end - span.start < INSTANT else (f"waits {span_duration(span)}",)
    words = (f"{span.call}()", *waits, *filter(None, [span.error]))
    return Mark("call", span.side, span.start, span.end, span.thread, words, span)


def span_duration(span: Span | Gap) -> str:
    """How long a call or a gap lasted, in words."""
    return duration(span.end - span.start)


def shown(connection: Connection) -> tuple[list[Span], int, float]:
    """The calls a ladder has room for, how many it leaves out, and when the first of those was."""
    calls = sorted((*connection.client, *connection.server), key=lambda span: span.start)
    few = max(len(connection.client), len(connection.server)) <= MOST
    if few or len(calls) <= FIRST + LAST:
        return calls, 0, 0.0
    hidden = calls[FIRST:-LAST]
    return calls[:FIRST] + calls[-LAST:], len(hidden), hidden[0].start


def marks(connection: Connection, gaps: Iterable[Gap]) -> list[Mark]:
    """Everything of a connection that has a place on its ladder, calls first, in time order."""
    spans, hidden, cut = shown(connection)
    found = [of_span(span) for span in spans]
    ends = {(mark.side, mark.end) for mark in found}
    starts = {(mark.side, mark.start): mark for mark in reversed(found)}
    for gap in gaps:
        after = starts.get((gap.side, gap.end))
        if (gap.side, gap.start) not in ends or (hidden and gap.start <= cut < gap.end):
            continue
        if gap.side == "server":
            words = ("work", span_duration(gap))
            found.append(Mark("work", "server", gap.start, gap.end, gap.thread, words))
        elif after:
            after.pause = gap
    if hidden:
        found.append(Mark("cut", "client", cut, cut, words=(f"… {hidden:,} more calls …",)))
    return found


def in_order(found: list[Mark], arrows: Iterable[Arrow]) -> list[Row]:
    """The rows from top to bottom: by time; at one time, causes before their effects."""
    waiting = sorted((row for mark in found for row in _rows(mark)), key=lambda row: row.time)
    pairs = {(arrow.sent_by, arrow.met_by) for arrow in arrows}
    order = []
    while waiting:
        tied = [row for row in waiting if row.time == waiting[0].time]
        free = (row for row in tied if not any(_leads_to(it, row, pairs) for it in tied))
        order.append(next(free, tied[0]))
        waiting.remove(order[-1])
    return order


def _rows(mark: Mark) -> list[Row]:
    if mark.point:
        return [Row(mark, mark.instant, True)]
    return [Row(mark, mark.start, False), Row(mark, mark.end, True)]


def _leads_to(one: Row, two: Row, pairs: set[tuple[Span | None, Span | None]]) -> bool:
    a, b = one.mark, two.mark
    if a is b:
        return two.last and not one.last
    if (a.side, a.thread) == (b.side, b.thread):
        return (a.start, a.end) < (b.start, b.end) and a.end <= b.start
    return a.span is not None and (a.span, b.span) in pairs


def stand(order: list[Row], top: float, step: float = STEP) -> float:
    """Give every mark its height, from `top` inches down; returns the height of the lowest."""
    _find_shared(order)
    for row in order:
        row.mark.top = row.mark.bottom = top
    floor: dict[Side, float] = {"client": top, "server": top}
    y, before = top, order[0].time
    for row in order:
        squeezed = GROWTH * math.log1p(max(0.0, row.time - before) * 1000)
        y = max(y + step + squeezed, _lowest(row, floor))
        if row.mark.what == "cut":
            y = _cut(row.mark, floor)
        else:
            _put(row, y, floor)
        before = row.time
    return max(y, *floor.values())


def _lowest(row: Row, floor: dict[Side, float]) -> float:
    """How low this row must stand for its own words, for those above it and for its arrow."""
    mark = row.mark
    if row.last and not mark.point:
        lowest = mark.top + (mark.tall + CLEAR if not mark.shared else 0)
    else:
        room = HALF + CLEAR if mark.point and mark.words else CLEAR
        lowest = floor[mark.side] + room + (2 * HALF + CLEAR if mark.pause else 0)
    if mark.leaves_below and (mark.point or not row.last):
        lowest = max(lowest, mark.leaves_below.top + FAN)
    if mark.meets_below and row.last:
        lowest = max(lowest, mark.meets_below.bottom + FAN)
    return lowest


def _put(row: Row, y: float, floor: dict[Side, float]) -> None:
    mark = row.mark
    if mark.pause and (mark.point or not row.last):
        above = floor[mark.side]
        mark.pause_at = (above + y - (HALF if mark.point else 0)) / 2
    if row.last:
        mark.bottom = y
    if mark.point or not row.last:
        mark.top = y
    floor[mark.side] = max(floor[mark.side], y + _below(row))


def _below(row: Row) -> float:
    """How far the words of a mark reach below this row."""
    mark = row.mark
    if mark.point:
        return max(mark.tall - HALF, 0.0)
    return mark.tall if mark.shared and not row.last else 0.0


def _cut(mark: Mark, floor: dict[Side, float]) -> float:
    mark.top = max(floor.values()) + 2 * CLEAR
    mark.bottom = mark.top + CUT
    floor["client"] = floor["server"] = mark.bottom
    return mark.bottom


def _find_shared(order: list[Row]) -> None:
    """Note the bars that are not alone on their lifeline: their words go to their top."""
    rows: dict[Mark, list[int]] = {}
    for index, row in enumerate(order):
        rows.setdefault(row.mark, []).append(index)
    for mark, places in rows.items():
        inside = order[places[0] + 1 : places[-1]]
        mark.shared = any(
            row.mark.side == mark.side and row.mark.what in ("call", "work") for row in inside
        )


def columns(found: Iterable[Mark]) -> dict[Mark, int]:
    """Which place beside the lifeline each bar takes: 0, or more where bars overlap in time."""
    taken: dict[Mark, int] = {}
    for mark in sorted(found, key=lambda mark: mark.top):
        if mark.point or mark.what not in ("call", "work"):
            continue
        near = {taken[other] for other in taken if _beside(other, mark)}
        taken[mark] = next(place for place in range(len(near) + 1) if place not in near)
    return taken


def _beside(one: Mark, two: Mark) -> bool:
    return one.side == two.side and one.bottom > two.top and two.bottom > one.top
