"""One turn of a loop in its steps: asked, returned, called, and what is still pending."""

from __future__ import annotations

from collections.abc import Sequence

from socketlab.figures.gaps import INSTANT
from socketlab.figures.loop import LINE, MONOSPACE, PILL, Pills, colours_of, short, shorten_call
from socketlab.figures.palette import GREY, HAIRLINE, INK
from socketlab.figures.picture import Picture
from socketlab.figures.sheet import MARGIN, WIDTH, Sheet, duration, heading_height
from socketlab.loops import Turn

STEPS = ("asked about", "select() returned", "called", "still pending")
AT = (1.55, 3.55, 5.6, 8.35)  # where the column of each step begins, in inches
HEADER, LOWEST = 0.5, 0.5  # of the steps' names; of a socket's row, at least
LONGEST = AT[3] - AT[2] - 0.2


def draw_turn(turn: Turn, turns: Sequence[Turn], names: Sequence[str]) -> Picture:
    """`turn`, one of `turns`, on a sheet as large as every other one's: a row for each name."""
    title, subtitle = _heading(turn, turns), _sentence(turn)
    top = MARGIN + heading_height(MARGIN, title, subtitle) + 0.2
    heights = [max(LOWEST, LINE * _most(turns, name) + 0.24) for name in names]
    sheet = Sheet(WIDTH, top + HEADER + sum(heights) + MARGIN)
    sheet.heading(MARGIN, MARGIN, title, subtitle)
    for words, x in zip(STEPS, AT, strict=True):
        sheet.text(x, top + 0.15, words, size=11, bold=True)
    y, colours = top + HEADER - 0.1, colours_of(names)
    for name, height in zip(names, heights, strict=True):
        sheet.line([(MARGIN, y, WIDTH - MARGIN, y)], HAIRLINE, 0.8)
        _draw_row(sheet, turn, name, colours[name], y + LOWEST / 2)
        y += height
    sheet.line([(MARGIN, y, WIDTH - MARGIN, y)], HAIRLINE, 0.8)
    return Picture(sheet.figure, repr(turn))


def _most(turns: Sequence[Turn], name: str) -> int:
    return max(sum(call.name == name for call in turn.calls) for turn in turns)


def _heading(turn: Turn, turns: Sequence[Turn]) -> str:
    return f"Turn {turn.number} of {turns[-1].number}"


def _sentence(turn: Turn) -> str:
    if turn.waits:
        return "Nothing is ready: the thread sleeps in select()."
    if turn.error:
        return f"select() raised {turn.error}."
    slept = f"waited {duration(turn.waited)}" if turn.waited >= INSTANT else "did not wait"
    sockets = f"{len(turn.asked)} socket{'s' * (len(turn.asked) != 1)}"
    found = f"select() {slept}, and found {len(turn.ready)} of {sockets} ready"
    return f"{found}, {turn.times:,} times in a row." if turn.times > 1 else f"{found}."


def _draw_row(sheet: Sheet, turn: Turn, name: str, colour: str, y: float) -> None:
    asked, ready = turn.asked.get(name, 0), turn.ready.get(name, 0)
    pending, unserved = turn.pending.get(name, 0), turn.unserved.get(name, 0)
    there = asked or pending
    sheet.text(MARGIN, y, name, size=13, bold=True, colour=colour if there else HAIRLINE)
    masks = ((asked, 0, 0), (ready, ready, unserved), (pending, unserved, unserved))
    for x, mask in zip((AT[0], AT[1], AT[3]), masks, strict=True):
        Pills(sheet, x + PILL, y, colour).draw(*mask)
    calls = [call.words for call in turn.calls if call.name == name]
    for i, words in enumerate(calls):
        words = shorten_call(short(name, words), LONGEST)
        sheet.text(AT[2], y + LINE * i, words, size=MONOSPACE, mono=True, colour=INK)
    if ready and not calls:
        sheet.text(AT[2], y, "nothing", size=MONOSPACE, colour=GREY)
    if unserved:
        sheet.text(WIDTH - MARGIN, y, "still ready", size=9, colour=GREY, ha="right")
