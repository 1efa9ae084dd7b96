"""What each thread of one side did, under the lanes: whom it worked for, whom it waited for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from socketlab.conversation import Side, Span
from socketlab.figures.gaps import Gap
from socketlab.figures.palette import IDLE, INK, PAPER, tint
from socketlab.figures.panel import PIXEL, Frame, box
from socketlab.figures.raster import Raster
from socketlab.figures.sheet import Sheet, duration, text_width
from socketlab.figures.tracks import Band, Colours

MOST = 6  # threads that get a band each
STACK = 1.2  # inches, at most, for all of more threads than that
ONE, SEVERAL, APART = 0.34, 0.26, 0.09  # inches: a band alone, one of several, between two
WORDS = 9.0  # points, on bands
TOTAL = 14.0  # points
PALE = 0.25  # strength of a blocked call where ink is mixed pixel by pixel


class Idle(NamedTuple):
    """The call a thread waits in for whoever comes, and where that is written."""

    band: int
    text: str
    x: float
    inside: bool


@dataclass
class Threads:
    """The threads of a side; the colours of the connections they had, and their names unless
    these were a crowd."""

    bands: list[Band]
    frame: Frame
    colours: Colours
    names: Mapping[str, str]
    idle: list[Idle] = field(default_factory=list)
    side: Side = "server"

    def label(self, number: int) -> list[str]:
        """What to call a band: its number, unless it is the only one."""
        return [f"{self.side} thread {number}"] if self.bands[1:] else self.alone

    @property
    def alone(self) -> list[str]:
        """What to call the only one."""
        return ["the one", f"{self.side} thread"]

    @property
    def stacked(self) -> bool:
        """There are too many of them, or of what they did, to draw it one by one."""
        return len(self.bands) > MOST or not self.names

    @property
    def thick(self) -> float:
        """The height of one band, in inches."""
        return ONE if len(self.bands) == 1 else SEVERAL

    @property
    def height(self) -> float:
        """The height of all of them, words below included, in inches."""
        if self.stacked:
            return self.paper().height * PIXEL
        below = 0.0 if all(it.inside for it in self.idle) else 0.2
        return len(self.bands) * (self.thick + APART) - APART + below if self.bands else 0.0

    def paper(self) -> Raster:
        """Pixels for all of them."""
        width = round((self.frame.right - self.frame.left) / PIXEL)
        room, thick = round(STACK / PIXEL), round(self.thick / PIXEL)
        return Raster(len(self.bands), room, width, self.frame.seconds, thick)

    def name_idle(self, told: set[tuple[str, ...]]) -> None:
        """Choose where to name the calls that wait for anybody; `told` gains their names."""
        if self.stacked:
            return
        wishes = [wish for i, band in enumerate(self.bands) for wish in self._wishes(i, band)]
        for _, wish in sorted(wishes, key=lambda it: (not it[1].inside, -it[0])):
            if ("idle", wish.text) not in told and self._has_room(wish):
                told.add(("idle", wish.text))
                self.idle.append(wish)

    def _wishes(self, index: int, band: Band) -> Iterable[tuple[float, Idle]]:
        for call in band.idle:
            end = min(call.end, band.whole.end)  # the call may have lasted longer than the picture
            left, right = self.frame.x(call.start), self.frame.x(end)
            text = f"{call.call}()"
            if right - left > 0.3:
                inside = text_width(text, WORDS) + 0.1 <= right - left
                yield round(right - left, 1), Idle(index, text, (left + right) / 2, inside)

    def _has_room(self, wish: Idle) -> bool:
        """Inside, if no other thread of that name is in the way; below, under a lone band."""
        if not wish.inside:
            return len(self.bands) == 1 and not self.idle
        half, x = text_width(wish.text, WORDS) / 2, self.frame.x
        band = self.bands[wish.band]
        busy: list[Span | Gap] = [*band.waits, *band.work]
        return all(x(it.end) <= wish.x - half or wish.x + half <= x(it.start) for it in busy)


def draw_threads(sheet: Sheet, them: Threads, top: float) -> None:
    """A band for each thread from `top` down (or an image of all); then how long it took."""
    if them.stacked:
        _draw_stack(sheet, them, top)
        return
    last = max(band.whole.end for band in them.bands)
    first = next(i for i, band in enumerate(them.bands) if band.whole.end == last)
    for i, band in enumerate(them.bands):
        y = top + i * (them.thick + APART) + them.thick / 2
        gutter(sheet, them.frame, y, them.label(i + 1))
        _draw_band(sheet, them, band, y)
        _draw_names(sheet, them, band, y)
        for idle in (it for it in them.idle if it.band == i):
            below = 0.0 if idle.inside else them.thick / 2 + 0.1
            sheet.text(idle.x, y + below, idle.text, size=WORDS, ha="center")
        if i == first:
            _draw_total(sheet, them.frame, last, y)


def gutter(sheet: Sheet, frame: Frame, y: float, lines: list[str]) -> None:
    """Words to the left of the plot, around height `y`."""
    for i, line in enumerate(lines):
        middle = y + (i - (len(lines) - 1) / 2) * 0.17
        sheet.text(frame.left - 0.12, middle, line, size=9.5, ha="right")


def _draw_total(sheet: Sheet, frame: Frame, end: float, y: float) -> None:
    sheet.text(frame.x(end) + 0.1, y, duration(end), size=TOTAL, bold=True)


def _draw_band(sheet: Sheet, them: Threads, band: Band, y: float) -> None:
    frame, height = them.frame, them.thick
    sheet.bars([box(frame, band.whole, y, height)], IDLE, over=1)
    waits, works = defaultdict(list), defaultdict(list)
    for call in band.waits:
        waits[tint(them.colours[call.conn])].append(box(frame, call, y, height))
    for gap in band.work:
        works[them.colours[gap.conn]].append(box(frame, gap, y, height))
    for over, bars in ((2, waits), (3, works)):
        for colour, boxes in bars.items():
            sheet.bars(boxes, colour, over=over)


def _draw_names(sheet: Sheet, them: Threads, band: Band, y: float) -> None:
    """On each slice of work whose it is, where there is room: the name, else its initial."""
    initials = {key: name[:1] for key, name in them.names.items()}
    short = initials if len({*initials.values()}) == len(initials) else {}
    free = 0.0
    for gap in band.work:
        left, right = max(free, them.frame.x(gap.start)), them.frame.x(gap.end)
        colour = on(them.colours[gap.conn])
        for name in filter(None, (them.names[gap.conn], short.get(gap.conn))):
            if text_width(name, WORDS, bold=True) + 0.06 <= right - left:
                x, free = (left + right) / 2, right
                sheet.text(x, y, name, size=WORDS, bold=True, colour=colour, ha="center")
                break


def on(colour: str) -> str:
    """Ink or paper: what reads better on this colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER


def _draw_stack(sheet: Sheet, them: Threads, top: float) -> None:
    frame, paper = them.frame, them.paper()
    wholes = [(i, *band.whole) for i, band in enumerate(them.bands)]
    paper.ink(IDLE, paper.cover(*zip(*wholes, strict=True)))
    for colour in dict.fromkeys(them.colours.values()):
        mine = {name for name, value in them.colours.items() if value == colour}
        for kind, strength in (("waits", PALE), ("work", 1.0)):
            if (stretches := _stretches(them, kind, mine))[0]:
                paper.ink(colour, paper.cover(*stretches), strength)
    bottom = top + paper.height * PIXEL
    sheet.image(paper.pixels(), (frame.left, top, frame.right, bottom))
    label = [f"{len(them.bands):,}", f"{them.side} threads"] if them.bands[1:] else them.alone
    gutter(sheet, frame, (top + bottom) / 2, label)
    _draw_total(sheet, frame, max(end for _, _, end in wholes), (top + bottom) / 2)


def _stretches(them: Threads, kind: str, mine: set[str]) -> tuple[list, list, list]:
    """What threads waited in or worked for, of these connections: threads, starts, ends."""
    rows, starts, ends = list[int](), list[float](), list[float]()
    for row, band in enumerate(them.bands):
        found = [it for it in getattr(band, kind) if it.conn in mine]
        rows += [row] * len(found)
        starts += [it.start for it in found]
        ends += [it.end for it in found]
    return rows, starts, ends
