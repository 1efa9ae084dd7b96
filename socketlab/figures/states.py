"""The states one connection passed through: its two ends side by side, time running down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from matplotlib.patches import Rectangle

from socketlab.figures.boxes import KERNEL, draw_flight
from socketlab.figures.palette import GREY, HAIRLINE, HUES, PAPER, tint
from socketlab.figures.picture import Picture
from socketlab.figures.sheet import MARGIN, WIDTH, Sheet, heading_height, text_width
from socketlab.netstat import KERNELS_OWN, RFC_9293
from socketlab.states import SocketRow, SocketStates
from socketlab.words import aligned

Column = Literal["client", "server", "listener"]
Pair = tuple[str | None, str | None]

COLUMNS: tuple[Column, ...] = ("client", "server", "listener")
COLOUR: dict[Column, str] = {"client": HUES[0], "server": HUES[1], "listener": HUES[1]}
NAME: dict[Column, str] = {"client": "sock", "server": "conn", "listener": "listener"}
MIDDLE: dict[Column, float] = {"client": 4.15, "server": 7.3, "listener": 9.45}  # inches
HALF: dict[Column, float] = {"client": 0.8, "server": 0.8, "listener": 0.5}  # of a band's width
SIZE, SMALL = 11.0, 9.0  # points
LONGEST = 28  # characters of a call that are shown
HEADER = 0.95  # from "client" and "server" to the first call
STEP = 0.8  # from one call to the next
TRIP = 0.2  # how much later the other end learns of it
SLIT = 0.05  # between two states
TITLE = "The states that one connection passed through"
SUBTITLE = "Time runs down. Filled: a program holds the socket. Dashed: only the kernel does."


@dataclass(frozen=True, slots=True)
class End:
    """One socket after one step: its state, "" if there is none, and if only the kernel has it."""

    state: str = ""
    kernels: bool = False

    def __str__(self) -> str:
        return f"{self.state} (the kernel)" if self.kernels else self.state or "-"


Moment = dict[Column, End]
NOTHING = End()
FIN_SENT = ("FIN_WAIT1", "FIN_WAIT2", "CLOSING", "TIME_WAIT")


@dataclass(frozen=True, slots=True)
class Band:
    """One state of one socket: after the steps from `first` to `last`, both counted from 0."""

    end: End
    first: int
    last: int


def draw_states(
    steps: Mapping[str, SocketStates | Pair],
    *,
    title: str | None = None,
    subtitle: str | None = SUBTITLE,
) -> Picture:
    """The states of a connection's two ends, and of the listener, after each of `steps`.

    A key is the call that was made, "client: close()", and its value the `socket_states` of the
    server's address after it. The value may also be two states, the client's and the server's,
    with None for no socket; a state that closed sockets pass through is then the kernel's.

    TypeError for any other value; ValueError for no steps, for an unknown state, and for a table
    with two connections, or with one whose server is not known.
    """
    if not isinstance(steps, Mapping):
        raise TypeError(f"steps is a mapping from a call to the states after it, not {steps!r}")
    if not steps:
        raise ValueError("there are no steps: give at least one call and the states after it")
    moments = [_moment(call, found) for call, found in steps.items()]
    drawing = _Drawing(list(steps), moments, title or _finding(moments), subtitle)
    return Picture(drawing.sheet.figure, _words(steps, moments))


# What is drawn


def _moment(call: str, found: object) -> Moment:
    """The three sockets after one step."""
    match found:
        case SocketStates():
            return _from_table(call, found)
        case (None | str() as client, None | str() as server):
            return {"client": _from_word(client), "server": _from_word(server)}
    raise TypeError(
        f"after {call!r} there must be a table of socket_states() or a pair of states, "
        f"such as ('ESTABLISHED', None), not {found!r}"
    )


def _from_word(state: str | None) -> End:
    if state and state not in RFC_9293:
        raise ValueError(f"TCP has no state {state!r}; it has {', '.join(RFC_9293)}")
    return End(state, state in KERNELS_OWN) if state else End()


def _from_table(call: str, table: SocketStates) -> Moment:
    rows = [row for row in table if row.protocol == "tcp"]
    ends = [row for row in rows if row.remote]
    if len({frozenset(row.ports) for row in ends}) > 1:
        raise ValueError(f"after {call!r} the table has several connections:\n{table}")
    moment: Moment = {"listener": End("LISTEN")} if len(ends) < len(rows) else {}
    return moment | {_column(call, table, row): _end(row) for row in ends}


def _column(call: str, table: SocketStates, row: SocketRow) -> Column:
    role = table.role(row).split(" ")[0]
    if role == "client" or role == "server":
        return role
    raise ValueError(
        f"after {call!r} nobody listens, so it is not known which end is the server's: "
        f"look with socket_states() once before the listener is closed\n{table}"
    )


def _end(row: SocketRow) -> End:
    return End(row.state, row.holder == "the kernel")


def _bands(column: Column, moments: list[Moment]) -> Iterator[Band]:
    """What the socket of one column was in, one state after the other."""
    ends = [(moment.get(column, NOTHING), step) for step, moment in enumerate(moments)]
    for end, run in groupby(ends, key=lambda pair: pair[0]):
        numbers = [step for _, step in run]
        yield Band(end, numbers[0], numbers[-1])


def _finding(moments: list[Moment]) -> str:
    """The title: who closed first, if that can be seen."""
    waiting = {c for moment in moments for c in moment if moment[c].state == "TIME_WAIT"}
    if len(waiting) != 1:
        return TITLE
    return f"The {waiting.pop()} closes first, so TIME_WAIT stays on its side"


def _words(steps: Mapping[str, object], moments: list[Moment]) -> str:
    columns = [c for c in COLUMNS if c != "listener" or any(c in moment for moment in moments)]
    lines = [
        (call, *(str(moment.get(column, NOTHING)) for column in columns))
        for call, moment in zip(steps, moments, strict=True)
    ]
    return aligned([("after", *columns), *lines])


# How it is drawn


class _Drawing:
    """The sheet, and where things stand on it, in inches."""

    def __init__(
        self, calls: list[str], moments: list[Moment], title: str, subtitle: str | None
    ) -> None:
        self.moments = moments
        self.columns = [c for c in COLUMNS if any(c in moment for moment in moments)]
        head = MARGIN + heading_height(MARGIN, title, subtitle) + 0.25
        self.top = head + HEADER
        self.bottom = self.top + STEP * len(calls)
        self.sheet = Sheet(WIDTH, self.bottom + MARGIN)
        self.sheet.heading(MARGIN, MARGIN, title, subtitle)
        self._draw_header("client", "client", head)
        self._draw_header("server", self.columns[-1], head)
        for step, call in enumerate(calls):
            self._draw_call(step, call)
            self._draw_flight(step)
        for column in self.columns:
            self._draw_bands(column)

    def _draw_header(self, first: Column, last: Column, y: float) -> None:
        left, right = MIDDLE[first] - HALF[first], MIDDLE[last] + HALF[last]
        style = {"size": 16, "bold": True, "colour": COLOUR[first], "ha": "center"}
        self.sheet.text((left + right) / 2, y + 0.13, first, **style)
        self.sheet.line([(left, y + 0.36, right, y + 0.36)], COLOUR[first], 1.5)
        for column in dict.fromkeys((first, last)):
            style = {"size": SIZE, "mono": True, "colour": GREY, "ha": "center"}
            self.sheet.text(MIDDLE[column], y + 0.55, NAME[column], **style)

    def _draw_call(self, step: int, call: str) -> None:
        y, label = self._height(step), call if len(call) <= LONGEST else call[: LONGEST - 1] + "…"
        self.sheet.text(MARGIN, y, label, size=SIZE, mono=True)
        start = MARGIN + text_width(label, SIZE, mono=True) + 0.12
        end = MIDDLE[self.columns[-1]] + HALF[self.columns[-1]]
        self.sheet.line([(start, y, end, y)], HAIRLINE, 0.8)

    def _draw_bands(self, column: Column) -> None:
        before = ""
        for band in _bands(column, self.moments):
            top, bottom = self._start(column, band.first), self._start(column, band.last + 1)
            if band.end.state:
                self._draw_band(column, band.end, top + SLIT / 2, bottom - SLIT / 2)
            elif before:
                style = {"size": SMALL, "colour": GREY, "ha": "center", "backed": True}
                self.sheet.text(MIDDLE[column], top + 0.2, "gone", **style)
            before = band.end.state

    def _draw_band(self, column: Column, end: End, top: float, bottom: float) -> None:
        x, half, colour = MIDDLE[column], HALF[column], COLOUR[column]
        box = Rectangle((x - half, top), 2 * half, bottom - top, zorder=2, gid="bar")
        box.set(facecolor=tint(colour), edgecolor="none")
        if end.kernels:
            box.set(facecolor=PAPER, edgecolor=colour, linewidth=1.2, linestyle=(0, KERNEL))
        self.sheet.axes.add_patch(box)
        y, note = (top + bottom) / 2, _note(end)
        if note:
            self.sheet.text(x, y + 0.11, note, size=SMALL, colour=GREY, ha="center")
            y -= 0.1
        self.sheet.text(x, y, end.state, size=SIZE, bold=True, ha="center")

    def _draw_flight(self, step: int) -> None:
        """What the kernel sent for this call: dashed, with its name on it."""
        source, label = self._flight(step)
        if not source:
            return
        ends = [MIDDLE["client"] + HALF["client"] + 0.06, MIDDLE["server"] - HALF["server"] - 0.06]
        x0, x1 = ends if source == "client" else ends[::-1]
        y0 = self._height(step)
        draw_flight(self.sheet, (x0, y0, x1, y0 + TRIP), label, kernels=True, size=SMALL)

    def _flight(self, step: int) -> tuple[Column | None, str]:
        """Which end's kernel told the other something at this step, and what."""
        if not 0 <= step < len(self.moments):
            return None, ""
        before = self.moments[step - 1] if step else {}
        return _message(before, self.moments[step])

    def _height(self, step: int) -> float:
        return self.top + STEP * step

    def _start(self, column: Column, step: int) -> float:
        """Where the column's state after this step begins."""
        source, _ = self._flight(step)
        told = source and column not in (source, "listener")
        return self._height(step) + (TRIP if told else 0)


def _note(end: End) -> str:
    if not end.kernels:
        return ""
    return "waits for accept()" if end.state in ("ESTABLISHED", "CLOSE_WAIT") else "after close()"


def _message(before: Moment, after: Moment) -> tuple[Column | None, str]:
    """The side whose kernel spoke between two moments, and its word; (None, "") for nobody."""

    def went(side: Column, old: str, *new: str) -> bool:
        return before.get(side, NOTHING).state == old and after.get(side, NOTHING).state in new

    if went("client", "", "ESTABLISHED") and went("server", "", "ESTABLISHED"):
        return "client", "handshake"
    for side in ("client", "server"):
        if went(side, "ESTABLISHED", *FIN_SENT):
            return side, "FIN"
    for side, other in (("client", "server"), ("server", "client")):
        if went(side, "CLOSE_WAIT", "LAST_ACK", "") and went(other, "FIN_WAIT2", "TIME_WAIT"):
            return side, "FIN"
    return None, ""
