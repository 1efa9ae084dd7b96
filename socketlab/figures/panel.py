"""Up to forty connections as lanes: two tracks each, arrows between them, words about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from socketlab.conversation import Arrow, Span
from socketlab.figures.captions import Caption, Room, captions
from socketlab.figures.gaps import Gap
from socketlab.figures.palette import GREY, HUES, INK, tint
from socketlab.figures.sheet import Box, Sheet, Stroke
from socketlab.figures.tracks import Lane, Stretch

PIXEL = 1 / 160  # inches
NUB = 0.04  # inches: less of a thin line beside a bar would look like a mistake


@dataclass(frozen=True)
class Form:
    """How large things are on a lane, in inches; text in points."""

    track: float  # height of the client's track, and of the server's
    gap: float  # between the two, for arrows
    apart: float  # from one lane's ink to the next one's
    row: float  # a row of words above or below
    words: float
    name: float
    head: float
    ink: float  # width of lines, points
    roomy: bool  # every lane has its rows of words and says which track is whose


ROOMY = Form(0.16, 0.24, 0.0, 0.19, 9.0, 15.0, 0.085, 1.3, True)
CLOSE = Form(0.10, 0.16, 0.12, 0.16, 8.5, 10.0, 0.065, 1.0, False)
CLOSER = Form(0.07, 0.12, 0.08, 0.16, 8.5, 9.0, 0.055, 0.8, False)


def form(lanes: int) -> Form:
    """How to draw this many lanes so that all stay readable."""
    return ROOMY if lanes <= len(HUES) else CLOSE if lanes <= 16 else CLOSER


class Frame(NamedTuple):
    """Where time runs: from `left` to `right` inches in `seconds`."""

    left: float
    right: float
    seconds: float

    def x(self, time: float) -> float:
        """Inches for seconds since the start; what is later than the end is at the end."""
        return self.left + (self.right - self.left) * min(time, self.seconds) / self.seconds


@dataclass
class Placed:
    """A lane with the height of its client's track, and its words."""

    lane: Lane
    form: Form
    client: float
    captions: list[Caption] = field(default_factory=list)

    @property
    def server(self) -> float:
        """The height of the middle of the server's track."""
        return self.client + self.form.track + self.form.gap

    def height(self, side: str) -> float:
        """The height of the middle of one side's track."""
        return self.client if side == "client" else self.server


def place(
    lanes: list[Lane], frame: Frame, top: float, told: set[tuple[str, ...]]
) -> tuple[list[Placed], float]:
    """The lanes one under the other from `top` down, with their words; and the height below."""
    size = form(len(lanes))
    room = Room(frame.left, frame.right + 0.8, size.words, frame.x)
    said = captions(lanes, room, told, inside=size.roomy, each=size.roomy)
    placed, y = [], top
    for i, lane in enumerate(lanes):
        words = [caption for caption in said if caption.lane == i]
        slots = {caption.slot for caption in words}
        y += size.row if size.roomy or "above" in slots else 0
        placed.append(Placed(lane, size, y + size.track / 2, words))
        y = placed[-1].server + size.track / 2 + size.apart
        y += size.row if size.roomy or "below" in slots else 0
    return placed, y


def draw_lane(sheet: Sheet, it: Placed, frame: Frame) -> None:
    """Both tracks of a connection, the arrows between them and the words about them."""
    lane, size = it.lane, it.form
    for side, open_ in (("client", lane.client), ("server", lane.server)):
        if open_:
            _draw_open(sheet, it, frame, side, open_)
    if lane.queued:
        line = _level(frame, lane.queued, it.server)
        sheet.line([line], lane.colour, size.ink + 0.2, dashes=(1, 2))
    waits = [box(frame, call, it.height(call.side), size.track) for call in lane.waits]
    works = [box(frame, gap, it.server, size.track) for gap in lane.gaps if gap.side == "server"]
    sheet.bars(waits, tint(lane.colour))
    sheet.bars(works, lane.colour, over=3)
    _draw_arrows(sheet, it, frame)
    faults = [(frame.x(call.end), it.height(call.side)) for call in lane.faults]
    sheet.dots(faults, lane.colour, 7 if size.roomy else 5)
    for caption in it.captions:
        _draw_caption(sheet, it, caption)


def _draw_open(sheet: Sheet, it: Placed, frame: Frame, side: str, open_: Stretch) -> None:
    """A thin line from end to end; where a bar is next to an end, the bar is the end."""
    x0, y, x1, _ = _level(frame, open_, it.height(side))
    if x1 - x0 < 2 * PIXEL:
        sheet.dots([(x0, y)], it.lane.colour, 5)
    work = it.lane.gaps if side == "server" else []
    bars: list[Span | Gap] = [bar for bar in it.lane.waits if bar.side == side]
    bars += work
    x0 = min((x for x in (frame.x(bar.start) for bar in bars) if 0 <= x - x0 < NUB), default=x0)
    x1 = max((x for x in (frame.x(bar.end) for bar in bars) if 0 <= x1 - x < NUB), default=x1)
    sheet.line([(x0, y, x1, y)], it.lane.colour, it.form.ink)


def _level(frame: Frame, over: Stretch, y: float) -> Stroke:
    return (frame.x(over.start), y, frame.x(over.end), y)


def box(frame: Frame, over: Stretch | Span | Gap, y: float, height: float) -> Box:
    """A bar around height `y`; at least a pixel wide, so that it is seen."""
    left, right = frame.x(over.start), frame.x(over.end)
    return (left, y - height / 2, max(right, left + PIXEL), y + height / 2)


def _draw_arrows(sheet: Sheet, it: Placed, frame: Frame) -> None:
    for kind, colour, dashes in (("data", INK, ()), ("reset", GREY, (3, 2))):
        arrows = [arrow for arrow in it.lane.arrows if arrow.kind == kind]
        met = _thinned(_stroke(it, frame, arrow) for arrow in arrows if arrow.met is not None)
        lost = _thinned(_stroke(it, frame, arrow) for arrow in arrows if arrow.met is None)
        sheet.line([*met, *lost], colour, it.form.ink - 0.2, dashes=dashes, over=3)
        sheet.heads(met, colour, it.form.head)
        sheet.dots([(x, y) for _, _, x, y in lost], colour, it.form.head * 40)


def _stroke(it: Placed, frame: Frame, arrow: Arrow) -> Stroke:
    """From one track to the other; half the way if nobody met it."""
    upper = it.client + it.form.track / 2 + PIXEL
    lower = it.server - it.form.track / 2 - PIXEL
    start, end = (upper, lower) if arrow.source == "client" else (lower, upper)
    if arrow.met is None:
        return (frame.x(arrow.left), start, frame.x(arrow.left), (start + end) / 2)
    return (frame.x(arrow.left), start, frame.x(arrow.met), end)


def _thinned(strokes: Iterable[Stroke]) -> list[Stroke]:
    """Of arrows that would lie on one another, one."""
    seen = {(round(x0 / 3 / PIXEL), y0, round(x1 / 3 / PIXEL)): (x0, y0, x1, y1)
            for x0, y0, x1, y1 in strokes}  # fmt: skip
    return list(seen.values())


def _draw_caption(sheet: Sheet, it: Placed, caption: Caption) -> None:
    size = it.form
    away = size.track / 2 + size.row / 2
    y = {
        "above": it.client - away,
        "client": it.client,
        "server": it.server,
        "below": it.server + away,
    }[caption.slot]
    colour = GREY if caption.grey else INK
    sheet.text(caption.x, y, caption.text, size=size.words, colour=colour, ha="center")
