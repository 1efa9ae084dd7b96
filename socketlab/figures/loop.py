"""A loop around select(), drawn: a row for each turn, a column for each socket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.patches import FancyBboxPatch

from socketlab.conversation import INTEREST
from socketlab.figures.gaps import INSTANT
from socketlab.figures.palette import GREY, HAIRLINE, IDLE, INK, PAPER, hue
from socketlab.figures.sheet import (
    MARGIN,
    WIDTH,
    Sheet,
    duration,
    heading_height,
    shorten,
    text_width,
)
from socketlab.loops import ENDS, KINDS, WRITE, Call, Turn, rank

NUMBER, BAR, HALF = 0.62, 0.86, 0.09  # inches from the left: turn's number, the loop's bar
FIRST, WIDEST = 2.3, 2.3  # where the sockets' columns begin; how wide one is, at most
LINE, STEP = 0.19, 0.42  # from one call to the next; from select() to the first call
WAIT, PAUSE = 0.42, 0.14  # height of a select() that waits, and of one that does not
HEADER = 0.5
PILL, TALL = 0.27, 0.095  # half the width and half the height of READ and WRITE
SMALL, MONOSPACE = 7.5, 9.0  # points
COLUMNS = 7  # sockets that get a column each
MOST, BEGIN, END = 30, 18, 9  # turns that are drawn in full; else how many at each end
TITLE = "The loop, turn by turn"
SUBTITLE = "Filled: ready, and a call was made. Hollow: ready, and no call was made."


@dataclass
class Placed:
    """A turn with the heights, in inches, at which its select() began, returned, and it ended."""

    turn: Turn
    began: float
    top: float
    bottom: float


class Pills:
    """READ and WRITE as small boxes: filled, hollow, or only an outline in grey."""

    def __init__(self, sheet: Sheet, x: float, y: float, colour: str) -> None:
        self.sheet, self.x, self.y, self.colour = sheet, x, y, colour

    def draw(self, asked: int, ready: int, unserved: int) -> None:
        """Side by side, one for each kind of `asked` or `ready`."""
        x = self.x
        for bit, kind in KINDS.items():
            if (asked | ready) & bit:
                filled = ready & ~unserved & bit
                edge = self.colour if ready & bit else HAIRLINE
                ink = PAPER if filled else INK if ready & bit else GREY
                self._draw(x, kind, self.colour if filled else PAPER, edge, ink)
                x += 2 * PILL + 0.06

    def _draw(self, x: float, kind: str, fill: str, edge: str, ink: str) -> None:
        style = f"round,pad=0,rounding_size={TALL}"
        corner = (x - PILL, self.y - TALL)
        box = FancyBboxPatch(corner, 2 * PILL, 2 * TALL, boxstyle=style, zorder=4, gid="pill")
        box.set(facecolor=fill, edgecolor=edge, linewidth=1.1)
        self.sheet.axes.add_patch(box)
        bold = ink != GREY
        self.sheet.text(x, self.y, kind, size=SMALL, bold=bold, colour=ink, ha="center")


def names_of(turns: Sequence[Turn]) -> list[str]:
    """Every socket of these turns that gets a column, the listener first."""
    names = {name for turn in turns for name in (*turn.asked, *turn.pending)}
    return sorted(names, key=rank)[:COLUMNS]


def short(name: str, words: str) -> str:
    """A call in the column of its own socket, whose name need not be said again."""
    words = words.removeprefix(f"{name}.")
    return words.replace(f"({name}, ", "(").replace(f"({name})", "()")


def shorten_call(words: str, width: float) -> str:
    """As much of a call as fits in `width` inches, ending in an ellipsis if it is cut."""
    while text_width(words, MONOSPACE, mono=True) > width and len(words) > 2:
        words = words.removesuffix("…")[:-1] + "…"
    return words


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Grey for the listener; for connections the hues that they have in every picture."""
    letters = [name for name in names if rank(name)[0] == 2]
    hues = {name: hue(i, max(len(letters), 1)) for i, name in enumerate(letters)}
    return {name: hues.get(name, GREY) for name in names}


# --- all turns ----------------------------------------------------------------------------------


def draw_loop(turns: Sequence[Turn], title: str | None, subtitle: str | None) -> Sheet:
    """All turns, one under the other, a column for each socket."""
    shown = [*turns] if len(turns) <= MOST else [*turns[:BEGIN], *turns[-END:]]
    names = names_of(shown)
    top = MARGIN + heading_height(MARGIN, title, subtitle) + (0.25 if title or subtitle else 0)
    placed = _place(shown, names, top + HEADER)
    sheet = Sheet(WIDTH, placed[-1].bottom + 0.3)
    sheet.heading(MARGIN, MARGIN, title, subtitle)
    _Loop(sheet, names, placed, top).draw(len(turns) - len(shown))
    return sheet


def _place(turns: Sequence[Turn], names: Sequence[str], y: float) -> list[Placed]:
    placed = []
    for turn in turns:
        began = y
        if turn.number:
            y += WAIT if turn.waited >= INSTANT or turn.waits else PAUSE
        most = max((len(calls) for calls in _by_name(turn, names).values()), default=0)
        height = 0.0 if turn.waits else STEP + LINE * max(most, 1) - 0.1
        placed.append(Placed(turn, began, y, y + height))
        y += height
    return placed


def _by_name(turn: Turn, names: Sequence[str]) -> dict[str, list[Call]]:
    calls: dict[str, list[Call]] = {}
    for call in turn.calls:
        calls.setdefault(call.name if call.name in names else names[0], []).append(call)
    return calls


class _Loop:
    """The sheet, the sockets' columns, and the turns where they stand."""

    def __init__(
        self, sheet: Sheet, names: Sequence[str], placed: Sequence[Placed], top: float
    ) -> None:
        self.sheet, self.names, self.placed, self.top = sheet, names, placed, top
        self.colours = colours_of(names)
        self.wide = min(WIDEST, (WIDTH - MARGIN - FIRST) / max(len(names), 1))

    def x(self, name: str) -> float:
        """Where the line of a socket is."""
        return FIRST + self.names.index(name) * self.wide + PILL

    def draw(self, left_out: int) -> None:
        """Everything but the heading; `left_out` turns of the middle are not there."""
        for name in self.names:
            self._draw_header(name)
            self._draw_line(name)
        self._draw_bar()
        for it in self.placed:
            self._draw_turn(it)
        if left_out:
            y = self.placed[BEGIN].began + 0.07
            text = f"{left_out:,} more turns"
            self.sheet.text(BAR + 0.2, y, text, size=9, colour=GREY, backed=True)

    def _draw_header(self, name: str) -> None:
        x, size = self.x(name), 13.0
        self.sheet.text(x - PILL, self.top + 0.15, name, size=size, bold=True,
                        colour=self.colours[name])  # fmt: skip
        if name == self.names[0]:
            self.sheet.text(BAR, self.top + 0.15, "the loop", size=size, bold=True, ha="center")

    def _draw_bar(self) -> None:
        """What the thread did: pale while it waited in select(), solid while it worked."""
        works: list[list[float]] = [[self.placed[0].began] * 2]  # [from, to]: no seams between
        for it in self.placed:
            works += [[it.top] * 2] if _waited(it) else []
            works[-1][1] = it.bottom
        waits = [(it.began, it.top) for it in self.placed if _waited(it)]
        for stretches, colour in ((waits, IDLE), (works, GREY)):
            boxes = [
                (BAR - HALF, start, BAR + HALF, end) for start, end in stretches if end > start
            ]
            self.sheet.bars(boxes, colour)
        for it in self.placed:
            if _waited(it):
                much = "" if it.turn.waits else f" {duration(it.turn.waited)}"
                y = (it.began + it.top) / 2
                self.sheet.text(BAR + HALF + 0.12, y, f"waits{much}", size=9, colour=GREY)

    def _draw_line(self, name: str) -> None:
        """A thin line for as long as select() is to watch it; a second one where for WRITE too."""
        x, hue = self.x(name), self.colours[name]
        strokes = [(x, start, x, end) for start, end, _ in self._watched(name)]
        second = [(x + 0.05, start, x + 0.05, end) for start, end, mask in self._watched(name)
                  if mask & WRITE]  # fmt: skip
        self.sheet.line([*strokes, *second], hue, 1.2)

    def _watched(self, name: str) -> Iterator[tuple[float, float, int]]:
        """(from, to, mask): stretches of height in which a socket is watched."""
        for it in self.placed:
            before, after = it.turn.asked.get(name, 0), it.turn.pending.get(name, 0)
            middle = self._changed(it, name) if before != after else it.bottom
            if before:
                yield it.began, middle, before
            if after and before != after:
                yield middle, it.bottom, after

    def _changed(self, it: Placed, name: str) -> float:
        """The height of the call by which the interest in a socket changed."""
        calls = _by_name(it.turn, self.names).get(name, [])
        for i, call in enumerate(calls):
            if call.span.call in (*INTEREST, *ENDS):
                return it.top + STEP - 0.1 + LINE * i
        return it.bottom

    def _draw_turn(self, it: Placed) -> None:
        turn, right = it.turn, FIRST + self.wide * len(self.names) - 0.1
        if turn.waits:
            return
        if turn.number:
            self.sheet.text(NUMBER, it.top, str(turn.number), size=12, bold=True, ha="right")
            self.sheet.line([(BAR - HALF, it.top, right, it.top)], HAIRLINE, 0.8)
            self._draw_many(it)
        for name in self.names:
            pills = Pills(self.sheet, self.x(name), it.top, self.colours[name])
            pills.draw(0, turn.ready.get(name, 0), turn.unserved.get(name, 0))
        for name, calls in _by_name(turn, self.names).items():
            for i, call in enumerate(calls):
                self._draw_call(name, call.words, it.top + STEP - 0.14 + LINE * i)

    def _draw_many(self, it: Placed) -> None:
        turn, x = it.turn, BAR + HALF + 0.12
        if turn.times > 1:
            self.sheet.text(x, it.top + 0.2, "again and again:", size=9, colour=GREY)
            self.sheet.text(x, it.top + 0.38, f"{turn.times:,} times", size=9, bold=True)
        elif turn.error or not turn.ready:
            text = turn.error or "nothing is ready"
            self.sheet.text(x, it.top + 0.2, shorten(text, 1.1, 9), size=9, colour=GREY)

    def _draw_call(self, name: str, words: str, y: float) -> None:
        words = shorten_call(short(name, words), self.wide - 0.2)
        x = self.x(name) + 0.12
        self.sheet.text(x, y, words, size=MONOSPACE, mono=True)


def _waited(it: Placed) -> bool:
    return bool(it.turn.number) and (it.turn.waited >= INSTANT or it.turn.waits)
