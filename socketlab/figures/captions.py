"""What is written on lanes: each kind of ink named once, on its widest stretch, never twice in
one place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from socketlab.figures.sheet import duration, text_width
from socketlab.figures.tracks import Lane, Stretch

Slot = Literal["above", "client", "server", "below"]  # of a lane: over, in or under its tracks
BESIDE = ("above", "below")
NARROWEST = 0.08  # inches: a stretch that is seen well enough to be named


class Caption(NamedTuple):
    """Words on one lane, their middle at `x` inches; grey words are an error's name."""

    lane: int
    slot: Slot
    x: float
    text: str
    grey: bool = False


@dataclass(frozen=True)
class Wish:
    """A stretch that could carry the words of its kind."""

    kind: tuple[str, ...]
    lane: int
    slot: Slot
    over: Stretch
    text: str
    grey: bool = False


@dataclass
class Room:
    """Where words may stand: from `left` to `right` inches, set in `size` points."""

    left: float
    right: float
    size: float
    x: Callable[[float], float]  # inches for seconds


def captions(
    lanes: list[Lane], room: Room, told: set[tuple[str, ...]], *, inside: bool, each: bool
) -> list[Caption]:
    """The words for these lanes; `told` are kinds that need no more words, and gains these.

    `inside` writes a blocked call's name into its bar if it fits, else beside it; `each` tells
    every connection's time in the accept queue and its errors, else only the longest of each.
    """
    wishes = [wish for i, lane in enumerate(lanes) for wish in _wishes(i, lane, inside, each)]
    wishes.sort(key=lambda wish: (_rank(wish), wish.slot in BESIDE, -_width(wish, room)))
    taken: dict[tuple[int, Slot], list[tuple[float, float]]] = defaultdict(list)
    for i, lane in enumerate(lanes):
        taken[i, "server"] += [(room.x(g.start), room.x(g.end)) for g in _work(lane)]
    found: list[Caption] = []
    here: set[tuple[str, ...]] = set()
    for wish in wishes:
        known = here if wish.kind[0] in ("queue", "fault") else told
        caption = None if wish.kind in known else _fit(wish, room, taken[wish.lane, wish.slot])
        if caption:
            known.add(wish.kind)
            found.append(caption)
    return found


def _wishes(i: int, lane: Lane, inside: bool, each: bool) -> Iterable[Wish]:
    one = (str(i), lane.name) if each else ()
    if lane.queued:
        end = "" if lane.accepted else ", never accepted"
        text = f"in the accept queue {duration(lane.queued.end - lane.queued.start)}{end}"
        yield Wish(("queue", *one), i, "below", lane.queued, text)
    for call in lane.faults:
        slot: Slot = "above" if call.side == "client" else "below"
        at = Stretch(call.end, call.end)
        yield Wish(("fault", call.side, call.error, *one), i, slot, at, call.error, grey=True)
    for gap in lane.gaps:
        over = Stretch(gap.start, gap.end)
        if gap.side == "client":
            yield Wish(("thinking",), i, "above", over, "thinking")
        else:
            yield Wish(("working",), i, "below", over, "working")
    for call in lane.waits:
        over, text = Stretch(call.start, call.end), f"blocked in {call.call}()"
        beside: Slot = "above" if call.side == "client" else "below"
        slots: tuple[Slot, ...] = (call.side, beside) if inside else (beside,)
        for slot in slots:
            yield Wish((call.side, call.call), i, slot, over, text)


def _rank(wish: Wish) -> int:
    """What is rarer is written first."""
    order = ("queue", "fault", "client", "server", "thinking", "working")
    return order.index(wish.kind[0])


def _width(wish: Wish, room: Room) -> int:
    """In quarters of an inch: of stretches about as wide, the first is named."""
    return round(4 * (room.x(wish.over.end) - room.x(wish.over.start)))


def _work(lane: Lane) -> Iterable[Stretch]:
    return (Stretch(gap.start, gap.end) for gap in lane.gaps if gap.side == "server")


def _fit(wish: Wish, room: Room, taken: list[tuple[float, float]]) -> Caption | None:
    """The words in the middle of their stretch, if they have room there."""
    left, right = room.x(wish.over.start), room.x(wish.over.end)
    half = text_width(wish.text, room.size) / 2 + 0.05
    if wish.slot in ("client", "server") and right - left < 2 * half:
        return None
    if wish.kind[0] != "fault" and right - left < NARROWEST:
        return None
    x = min(max((left + right) / 2, room.left + half), room.right - half)
    if any(x - half < end and start < x + half for start, end in taken):
        return None
    taken.append((x - half, x + half))
    return Caption(wish.lane, wish.slot, x, wish.text, wish.grey)
