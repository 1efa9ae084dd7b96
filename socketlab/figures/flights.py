"""The arrows of a ladder: which marks they join, where they run, where their labels stand."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import cast

from socketlab.conversation import Arrow, Connection, Side, Span
from socketlab.figures.rows import Mark, columns
from socketlab.figures.sheet import WIDTH, Box, Stroke, text_width

LIFELINE: dict[Side, float] = {"client": 2.3, "server": WIDTH - 2.3}
INWARD: dict[Side, int] = {"client": 1, "server": -1}
OTHER: dict[Side, Side] = {"client": "server", "server": "client"}
MIDDLE = WIDTH / 2
APART = LIFELINE["server"] - LIFELINE["client"]
BESIDE = 0.3  # from a bar to the next one that overlaps it in time
LEAVES, MEETS = 0.11, 0.17  # from the lifeline to an arrow's start, to its head
VOID = 0.5  # how much of the way an arrow goes that nobody meets: not as far as the other's
SIZE = 10.0  # points, of labels
HALF = 0.095  # half the height of a label
LEAN = 0.19  # how far an arrow falls at least, if its sending call lasted that long
NAMES = {"handshake": "handshake", "end": "end of stream, b''", "reset": "reset"}
UNMET = {"handshake": "not accepted", "data": "unread"}


@dataclass(eq=False)
class Flight:
    """An arrow between two marks; a mark is None if its call is left out, or never was."""

    arrow: Arrow
    source: Mark | None
    target: Mark | None
    first: bool = True  # of the pieces of its sending call
    lost: bool = False  # nobody met it, and somebody would have been seen to
    stroke: Stroke = (0.0, 0.0, 0.0, 0.0)
    box: Box | None = None  # where its label stands

    @property
    def label(self) -> str:
        """What it says; nothing if it comes from or goes to a call that is left out."""
        whole = self.source and (self.target or self.arrow.met is None)
        return label(self.arrow, brief=not self.first, lost=self.lost) if whole else ""


def label(arrow: Arrow, *, brief: bool = False, lost: bool = False) -> str:
    """An arrow in words: its bytes, or what the kernel did, and whether it was `lost`.

    Of bytes that are too many to show, `brief` keeps the number only.
    """
    failed = arrow.sent_by and arrow.sent_by.error  # then the call itself says it
    unmet = f", {UNMET.get(arrow.kind, 'unseen')}" if lost and not failed else ""
    if arrow.kind != "data":
        return NAMES[arrow.kind] + unmet
    return payload(arrow.data, arrow.nbytes, 16 if unmet else 30, brief=brief) + unmet


def payload(data: bytes, nbytes: int, limit: int = 30, *, brief: bool = False) -> str:
    """Bytes as a label of about `limit` characters: `data` are the first of `nbytes` bytes.

    What is left out is an ellipsis, and then the number of bytes is said (only that if `brief`).
    """
    if len(data) == nbytes and len(repr(data)) <= limit:
        return repr(data)
    count = f"{nbytes:,} bytes"
    room = limit - len(count) - 5
    if brief or not data or room < 4:
        return count
    if len(data) < nbytes:
        return f"b'{_fit(data, room)}…' {count}"
    tail = _fit(data[::-1], room // 2, backwards=True)
    return f"b'{_fit(data, room - len(tail))}…{tail}' {count}"


def _fit(data: bytes, room: int, *, backwards: bool = False) -> str:
    """As many bytes, written as in a repr, as `room` characters hold; never half an escape."""
    kept: list[str] = []
    for byte in data[:room]:
        kept.append(repr(bytes([byte]))[2:-1].replace("'", r"\'"))
    while len("".join(kept)) > room:
        kept.pop()
    return "".join(kept[::-1] if backwards else kept)


def tie(connection: Connection, found: list[Mark], watched: Collection[Side]) -> list[Flight]:
    """Each arrow with a call that is drawn, tied to its marks; `found` gains bare moments for
    the ends at which the recording has no call. `watched` are the sides that were recorded."""
    by_span: dict[Span | None, Mark] = {mark.span: mark for mark in found if mark.span}
    hidden = {*connection.client, *connection.server} - by_span.keys()
    flights = []
    for arrow in sorted(connection.arrows, key=lambda arrow: arrow.left):
        times = {arrow.sent_by: arrow.left, arrow.met_by: arrow.met}
        if all(span in hidden or time is None for span, time in times.items()):
            continue
        source = _end(arrow.sent_by, arrow.left, arrow.source, by_span, hidden)
        target = _end(arrow.met_by, arrow.met, OTHER[arrow.source], by_span, hidden)
        lost = arrow.met is None and OTHER[arrow.source] in watched
        flights.append(Flight(arrow, source, target, lost=lost))
    moments = (mark for flight in flights for mark in (flight.source, flight.target))
    found += [mark for mark in moments if mark and mark.what == "moment"]
    _part(flights)
    return list(_without_crowds(flights))


def _end(
    span: Span | None,
    time: float | None,
    side: Side,
    drawn: dict[Span | None, Mark],
    hidden: set[Span],
) -> Mark | None:
    if span in drawn:
        return drawn[span]
    return None if span in hidden or time is None else Mark("moment", side, time, time)


def _without_crowds(flights: list[Flight]) -> Iterator[Flight]:
    """Arrows to or from calls left out only for calls that have no other, and one for each."""
    seen = {mark for it in flights if it.label for mark in (it.source, it.target)}
    for flight in flights:
        mark = flight.source or flight.target
        if flight.label or mark not in seen:
            seen.add(mark)
            yield flight


def _part(flights: list[Flight]) -> None:
    """Where arrows split or converge, ask for room for a label between any two of them."""
    leftward = [it for it in flights if it.arrow.source == "server"]
    rightward = [it for it in flights if it.arrow.source == "client"]
    for one, two in chain(pairwise(rightward), pairwise(leftward)):
        two.first = two.source is None or two.source is not one.source
        if one.source and two.source and one.target and two.target:
            if not two.first and two.source.point:
                upper, lower = sorted((one.target, two.target), key=lambda mark: mark.end)
                lower.meets_below = upper
            elif one.target is two.target:
                two.source.leaves_below = one.source


def aim(flights: list[Flight], found: list[Mark]) -> None:
    """Give every arrow its two ends in inches, from where the marks stand by now."""
    places = columns(found)
    cut = next((mark for mark in found if mark.what == "cut"), None)
    behind = (cut.top + cut.bottom) / 2 if cut else 0.0
    leaving = _leaving(flights, cut)
    for flight in flights:
        start, end = (MIDDLE, behind), (MIDDLE, behind)
        if flight.target:
            end = _edge(flight.target, places, MEETS), flight.target.bottom
        if flight.source:
            start = _edge(flight.source, places, LEAVES), leaving[flight]
        if flight.arrow.met is None:
            end = _void(flight, max(places.values(), default=0)), start[1] + 0.1
        flight.stroke = (*start, *end)


def _void(flight: Flight, bars: int) -> float:
    """How far an arrow goes that nobody is known to have met."""
    far = VOID * APART + bars * BESIDE if flight.lost else APART - MEETS
    return LIFELINE[flight.arrow.source] + INWARD[flight.arrow.source] * far


def _edge(mark: Mark, places: dict[Mark, int], beside: float) -> float:
    room = max(beside, MEETS if not mark.point else 0) + places.get(mark, 0) * BESIDE
    return LIFELINE[mark.side] + INWARD[mark.side] * room


def _leaving(flights: list[Flight], cut: Mark | None) -> dict[Flight, float]:
    """How low each arrow starts: at its call's start, but the pieces of a long call one after
    another beside it, each just before it is met where the call lasted that long."""
    height: dict[Flight, float] = {}
    after: dict[Mark, float] = {}
    for flight in reversed([flight for flight in flights if flight.source]):
        call = cast(Mark, flight.source)
        met = flight.target.bottom if flight.target else call.top
        top = cut.bottom if cut and call.top < cut.bottom < met else call.top
        latest = min(met - LEAN, call.bottom, after.get(call, call.bottom) - LEAN / 2)
        after[call] = height[flight] = max(top, latest)
    return height | {it: it.source.top for it in flights if it.source and it.first}


def place(flights: list[Flight], taken: list[Box]) -> bool:
    """Find each label a free place on its arrow, clear of other labels and, where there is one,
    of other arrows; False if one found none (it then stays without)."""
    taken = [*taken, *(_head(it.stroke) for it in flights if it.target or it.lost)]
    boxes = {it: [box for box in _boxes(it) if _is_free(box, taken)] for it in flights}
    for flight in sorted(flights, key=lambda it: not it.lost):  # these have the least choice
        others = [other.stroke for other in flights if other is not flight]
        free = [box for box in boxes[flight] if _is_free(box, taken)]
        free.sort(key=lambda box: sum(_crosses(box, stroke) for stroke in others))
        flight.box = free[0] if free else None
        taken += free[:1]
    return all(flight.box or not flight.label for flight in flights)


def _is_free(box: Box, taken: list[Box]) -> bool:
    return not any(_meet(box, it) for it in taken)


def _head(stroke: Stroke) -> Box:
    """Where an arrow ends: its head, or the ring of one that nobody met."""
    _, _, x, y = stroke
    return (x - 0.12, y - 0.06, x + 0.12, y + 0.06)


def _boxes(flight: Flight) -> list[Box]:
    """Where a label could stand: amid its arrow, then ever farther from there, to its ends."""
    if not flight.label:
        return []
    x0, y0, x1, y1 = flight.stroke
    half = text_width(flight.label, SIZE, mono=True) / 2 + 0.05
    room = max(0.0, 0.5 - (half + 0.2) / abs(x1 - x0))
    shares = sorted(
        (0.5 + step * room / 12 for step in range(-12, 13)), key=lambda at: abs(at - 0.5)
    )
    centres = [(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share) for share in shares]
    return [(x - half, y - HALF, x + half, y + HALF) for x, y in centres]


def _meet(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _crosses(box: Box, stroke: Stroke) -> bool:
    """Whether a stroke that is not upright runs through a box."""
    left, right = sorted([stroke[0], stroke[2]])
    left, right = max(left, box[0]), min(right, box[2])
    if left >= right:
        return False
    slope = (stroke[3] - stroke[1]) / (stroke[2] - stroke[0])
    top, bottom = sorted(stroke[1] + slope * (x - stroke[0]) for x in (left, right))
    return top < box[3] and box[1] < bottom
