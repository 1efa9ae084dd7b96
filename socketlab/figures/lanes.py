"""The lanes: several connections side by side, and what the server's threads did meanwhile."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from socketlab.conversation import Conversation, Side
from socketlab.figures.crowd import ENCODING, Calls, calls_of, draw_crowd, draw_key, paper
from socketlab.figures.palette import GREY, HAIRLINE, hue
from socketlab.figures.panel import (
    PIXEL,
    Frame,
    Placed,
    draw_lane,
    form,
    place,
)
from socketlab.figures.picture import Picture
from socketlab.figures.sheet import (
    MARGIN,
    WIDTH,
    Sheet,
    duration,
    heading_height,
    shorten,
    text_width,
)
from socketlab.figures.threads import TOTAL, Threads, draw_threads
from socketlab.figures.tracks import Colours, bands_of, lanes_of, lasted

MOST = 40  # lanes that can still be told apart
NAMES = 1.7  # inches for the longest name, at most
SIDES = 0.62  # "client" and "server" beside the tracks, with air
AXIS = 0.45
APART = 0.4  # inches between two panels

Names = Mapping[str, str] | Sequence[str]
Each = Sequence[Mapping[str, str]]  # names of every conversation


@dataclass
class Panel:
    """One conversation with all that is drawn of it, and how high each part stands."""

    conversation: Conversation
    title: str | None
    subtitle: str | None
    names: dict[str, str]
    colours: Colours
    side: Side  # whose threads are shown
    top: float = 0.0
    lanes_top: float = 0.0
    threads_top: float = 0.0
    calls: Calls | None = None  # of a crowd
    placed: list[Placed] = field(default_factory=list)  # else
    threads: Threads | None = None  # None: they ran elsewhere

    @cached_property
    def end(self) -> float:
        """How long the conversation lasted, in seconds."""
        return float(self.calls.ends.max()) if self.calls else lasted(self.conversation)


def draw_lanes(
    *conversations: Conversation,
    titles: Sequence[str] | None = None,
    subtitles: Sequence[str] | None = None,
    names: Names | Each | None = None,
    threads: Side = "server",
    words: str = "",
) -> Picture:
    """Each connection as a lane, each thread of the server (or the client) as a band; several
    conversations one under the other on one time axis.

    `titles` and `subtitles` are one for each conversation; `names` stand in place of letters, as
    a mapping or in order of connect, or a list of such mappings, one for each. `threads` is whose
    threads are shown. Up to six connections have a colour each, up to 40 a lane with a name, more
    become one image in which none is lost. `words` is the text equivalent. ValueError if a
    conversation is empty or something is not one for each.
    """
    panels = _panels(conversations, titles, subtitles, names, threads)
    frame = _frame(panels)
    told: set[tuple[str, ...]] = set()
    bottom = MARGIN - APART
    for panel in panels:
        bottom = _place(panel, frame, bottom + APART, told)
    sheet = Sheet(WIDTH, bottom + 0.2 + AXIS)
    for panel in panels:
        _draw(sheet, panel, frame)
    _draw_axis(sheet, frame, bottom + 0.2)
    return Picture(sheet.figure, words, ENCODING if any(it.calls for it in panels) else None)


def _panels(
    conversations: Sequence[Conversation],
    titles: Sequence[str] | None,
    subtitles: Sequence[str] | None,
    names: Names | Each | None,
    threads: Side,
) -> list[Panel]:
    if not conversations or not all(it.connections for it in conversations):
        raise ValueError(
            "There is no connection to draw. Connect clients to a server while you record, "
            "then draw that recording."
        )
    for what, given in (("titles", titles), ("subtitles", subtitles)):
        if given is not None and (isinstance(given, str) or len(given) != len(conversations)):
            raise ValueError(
                f"Give {what} as a list of {len(conversations)}: one for each recording."
            )
    given: list = list(names) if _are_each(names) else [names] * len(conversations)
    most = max(len(it.connections) for it in conversations)
    return [
        Panel(
            conversation=it,
            title=titles[i] if titles else None,
            subtitle=subtitles[i] if subtitles else None,
            names=_named(it, given[i]),
            colours={one.name: hue(k, most) for k, one in enumerate(it.connections)},
            side=threads,
            calls=calls_of(it.connections) if len(it.connections) > MOST else None,
        )
        for i, it in enumerate(conversations)
    ]


def _are_each(names: Names | Each | None) -> bool:
    return isinstance(names, Sequence) and all(isinstance(it, Mapping) for it in names)


def _named(conversation: Conversation, names: Names | None) -> dict[str, str]:
    """What each connection is called: its letter, unless `names` says otherwise."""
    letters = [connection.name for connection in conversation.connections]
    if isinstance(names, Mapping):
        unknown = [key for key in names if key not in letters]
        if unknown:
            raise ValueError(f"There is no connection {unknown[0]!r}. There are: {letters}.")
        given = {letter: names.get(letter, letter) for letter in letters}
    elif names is None:
        given = dict(zip(letters, letters, strict=True))
    elif isinstance(names, str) or len(names) != len(letters):
        raise ValueError(f"Give names as a list of {len(letters)}: one for each connection.")
    else:
        given = dict(zip(letters, names, strict=True))
    return given


def _name_size(names: Mapping[str, str]) -> float:
    size = form(len(names)).name
    return size if all(len(name) == 1 for name in names.values()) else min(size, 12.0)


def _names_width(names: Mapping[str, str]) -> float:
    """How wide the longest name comes out; a crowd shows none."""
    size = _name_size(names)
    shown = names.values() if len(names) <= MOST else ()
    return min(NAMES, max((text_width(name, size, bold=True) for name in shown), default=0.0))


def _frame(panels: Sequence[Panel]) -> Frame:
    """One time axis for all, beside the longest name and the longest total."""
    widest = max(_names_width(panel.names) for panel in panels)
    left = max(MARGIN + widest + SIDES, MARGIN + 1.15)
    ends = [panel.end for panel in panels]
    total = max(text_width(duration(end), TOTAL, bold=True) for end in ends)
    right = WIDTH - MARGIN - total - 0.1
    return Frame(math.ceil(left * 40) / 40, math.floor(right * 40) / 40, max(*ends, 0.001))


def _place(panel: Panel, frame: Frame, top: float, told: set[tuple[str, ...]]) -> float:
    """Give every part its height from `top` down; returns the height below all."""
    found = panel.conversation.connections
    headed = heading_height(frame.left, panel.title, panel.subtitle)
    panel.top, panel.lanes_top = top, top + headed + (0.1 if headed else 0)
    if panel.calls:
        panel.lanes_top += 0.26
        bottom = panel.lanes_top + paper(len(found), frame).height * PIXEL
    else:
        drawn = lanes_of(panel.conversation, panel.names, panel.colours, panel.side)
        panel.placed, bottom = place(drawn, frame, panel.lanes_top, told)
    found_bands = bands_of(panel.conversation, panel.end, panel.side)
    if not found_bands:
        return bottom
    names = {} if panel.calls else panel.names
    panel.threads = Threads(found_bands, frame, panel.colours, names, side=panel.side)
    panel.threads.name_idle(told)
    panel.threads_top = bottom + 0.2
    return panel.threads_top + panel.threads.height


def _draw(sheet: Sheet, panel: Panel, frame: Frame) -> None:
    sheet.heading(panel.top, frame.left, panel.title, panel.subtitle)
    if panel.calls:
        draw_key(sheet, frame, panel.lanes_top - 0.14)
        bands = panel.threads.bands if panel.threads else []
        found = panel.conversation.connections
        draw_crowd(sheet, found, panel.calls, bands, frame, panel.lanes_top)
    for i, it in enumerate(panel.placed):
        draw_lane(sheet, it, frame)
        _draw_name(sheet, it, frame, _name_size(panel.names), sides=it.form.roomy or i == 0)
    if panel.threads:
        draw_threads(sheet, panel.threads, panel.threads_top)


def _draw_name(sheet: Sheet, it: Placed, frame: Frame, size: float, *, sides: bool) -> None:
    middle = (it.client + it.server) / 2
    x = frame.left - SIDES
    name = shorten(it.lane.name, NAMES, size, bold=True)
    sheet.text(x, middle, name, size=size, bold=True, colour=it.lane.colour, ha="right")
    if sides:
        for side, y in (("client", it.client), ("server", it.server)):
            sheet.text(frame.left - 0.12, y, side, size=it.form.words, colour=GREY, ha="right")


def ticks(seconds: float) -> list[float]:
    """Round times from 0 up to `seconds`: at most eleven, in steps of 1, 2 or 5."""
    step = 10.0 ** math.floor(math.log10(seconds / 10) + 1e-9)
    step *= next(factor for factor in (1, 2, 5, 10) if seconds / (step * factor) <= 10.001)
    return [i * step for i in range(math.floor(seconds / step + 1e-9) + 1)]


def _draw_axis(sheet: Sheet, frame: Frame, y: float) -> None:
    """One hairline with round times below; the last says the unit."""
    unit, scale = ("s", 1) if frame.seconds >= 10 else ("ms", 1000)
    sheet.line([(frame.left, y, WIDTH - MARGIN, y)], HAIRLINE, 1)
    marks = ticks(frame.seconds)
    for time in marks:
        x, number = frame.x(time), f"{time * scale:,.6g}"
        sheet.line([(x, y, x, y + 0.06)], HAIRLINE, 1)
        left = x - text_width(number, 10) / 2
        text = f"{number} {unit}" if time == marks[-1] else number
        sheet.text(left, y + 0.2, text, size=10, colour=GREY)
