"""The ladder: one connection, two lifelines, time running down."""

from __future__ import annotations

from collections.abc import Collection

from socketlab.conversation import Connection, Conversation, Side
from socketlab.figures.flights import (
    BESIDE,
    INWARD,
    LIFELINE,
    MIDDLE,
    SIZE,
    Flight,
    aim,
    place,
    tie,
)
from socketlab.figures.gaps import gaps
from socketlab.figures.palette import GREY, HAIRLINE, HUES, INK, PAPER, tint
from socketlab.figures.picture import Picture
from socketlab.figures.rows import STEP, Mark, columns, in_order, marks, span_duration, stand
from socketlab.figures.sheet import LINE, MARGIN, WIDTH, Box, Sheet, heading_height

COLOUR: dict[Side, str] = {"client": HUES[0], "server": HUES[1]}
BAR = 0.13  # half its width
WORDS = 0.3  # from the lifeline to the words about it
HEADER = 0.55  # "client", "server" and the start of the lifelines
KERNEL = (3.5, 2.0)  # dashed: what the kernel says, not the program
SQUEEZED = "time runs down, long gaps squeezed"
UNSEEN = "no call recorded"


def draw_ladder(
    conversation: Conversation,
    *,
    title: str | None = None,
    subtitle: str | None = None,
    words: str = "",
    connection: str | None = None,
    sides: tuple[str, str] = ("client", "server"),
) -> Picture:
    """One connection of a conversation as a ladder: the first, or the one named `connection`;
    `sides` is what to call client and server.

    Gaps grow as log(1 + ms); of more than 24 calls on a side the middle is left out, and the
    figure says how many. `words` is the picture's text equivalent. ValueError if there is no
    such connection.
    """
    chosen = choose(conversation, connection)
    found = marks(chosen, (gap for gap in gaps(conversation) if gap.conn == chosen.name))
    top = MARGIN + heading_height(MARGIN, title, subtitle) + (0.22 if title or subtitle else 0)
    watched: set[Side] = {span.side for span in (*chosen.client, *chosen.server)}
    watched |= {"server"} if conversation.server_threads else set()
    flights, bottom = arrange(chosen, found, watched, top + HEADER)
    sheet = Sheet(WIDTH, bottom + 0.5)
    sheet.heading(MARGIN, MARGIN, title, subtitle)
    if subtitle is None:
        sheet.text(MIDDLE, top + 0.15, SQUEEZED, size=9, colour=GREY, ha="center")
    _draw_lifelines(sheet, chosen, sides, top, bottom)
    _draw_marks(sheet, found)
    _draw_flights(sheet, flights)
    return Picture(sheet.figure, words)


def choose(conversation: Conversation, name: str | None = None) -> Connection:
    """The connection named `name`, or the first. ValueError if there is none."""
    found = {connection.name: connection for connection in conversation.connections}
    if not found:
        raise ValueError(
            "There is no connection to draw. Connect a client to a server while you record, "
            "then draw that recording."
        )
    if name is not None and name not in found:
        raise ValueError(f"There is no connection {name!r}. Choose one of: {', '.join(found)}.")
    return found[name] if name is not None else conversation.connections[0]


def arrange(
    connection: Connection, found: list[Mark], watched: Collection[Side], top: float
) -> tuple[list[Flight], float]:
    """Lay a ladder out from `top` inches down, rows ever farther apart until each label has room;
    the arrows, and the height of the lowest row."""
    flights = tie(connection, found, watched)
    order = in_order(found, connection.arrows)
    for widened in range(6):
        bottom = stand(order, top, STEP * 1.25**widened)
        aim(flights, found)
        if place(flights, list(_bodies(found).values())):
            break
    return flights, bottom


def _bodies(found: list[Mark]) -> dict[Mark, Box]:
    """The boxes that marks take between the lifelines or on them, if they are not points."""
    places = columns(found)
    boxes = {}
    for mark in found:
        if mark.what == "cut":
            boxes[mark] = _band(mark)
        elif not mark.point:
            x = LIFELINE[mark.side] + INWARD[mark.side] * places[mark] * BESIDE
            boxes[mark] = (x - BAR, mark.top, x + BAR, mark.bottom)
    return boxes


def _band(cut: Mark) -> Box:
    """The paper that covers what happens between the lifelines while calls are left out."""
    return (LIFELINE["client"] - 0.2, cut.top, LIFELINE["server"] + 0.2, cut.bottom)


def _draw_lifelines(
    sheet: Sheet, chosen: Connection, names: tuple[str, str], top: float, bottom: float
) -> None:
    for (side, x), name in zip(LIFELINE.items(), names, strict=True):
        seen = chosen.client if side == "client" else chosen.server
        sheet.text(x, top + 0.13, name, size=16, bold=True, colour=COLOUR[side], ha="center")
        if not seen:
            sheet.text(x, bottom + 0.35, UNSEEN, size=9, colour=GREY, ha="center")
        dashes = () if seen else (1, 3)
        sheet.line([(x, top + 0.38, x, bottom + 0.2)], HAIRLINE, 2, dashes=dashes)


def _draw_marks(sheet: Sheet, found: list[Mark]) -> None:
    bodies = _bodies(found)
    for mark in found:
        if mark.what == "cut":
            _draw_cut(sheet, mark)
        elif mark.words:
            _draw_body(sheet, mark, bodies.get(mark))
            _draw_words(sheet, mark)
        if mark.pause:
            text = f"thinks {span_duration(mark.pause)}"
            _aside(sheet, mark.side, mark.pause_at, text, colour=GREY)


def _draw_body(sheet: Sheet, mark: Mark, body: Box | None) -> None:
    colour = COLOUR[mark.side]
    if body:
        sheet.bars([body], colour if mark.what == "work" else tint(colour))
    else:
        sheet.dots([(LIFELINE[mark.side], mark.top)], colour)


def _draw_words(sheet: Sheet, mark: Mark) -> None:
    """The name and the grey lines under it: at a point, amid a bar, or at a shared bar's top."""
    y = mark.top
    if not mark.point:
        room = 0.0 if mark.shared else mark.bottom - mark.top - mark.tall
        y += room / 2 + (mark.tall - LINE * (len(mark.words) - 1)) / 2
    _aside(sheet, mark.side, y, mark.words[0], size=SIZE + 0.5, mono=True)
    for line in mark.words[1:]:
        y += LINE
        _aside(sheet, mark.side, y, line, colour=GREY)


def _aside(
    sheet: Sheet,
    side: Side,
    y: float,
    text: str,
    *,
    size: float = 9.5,
    colour: str = INK,
    mono: bool = False,
) -> None:
    """`text` outward of a lifeline."""
    x, ha = LIFELINE[side] - INWARD[side] * WORDS, "right" if side == "client" else "left"
    sheet.text(x, y, text, size=size, colour=colour, mono=mono, ha=ha)


def _draw_cut(sheet: Sheet, mark: Mark) -> None:
    left, top, right, bottom = _band(mark)
    inner = (left + 0.45, top, right - 0.45, bottom)
    sheet.bars([inner], PAPER, over=4, gid="cut")
    for x in LIFELINE.values():
        sheet.line([(x, top, x, bottom)], PAPER, 3)
        sheet.line([(x, top, x, bottom)], HAIRLINE, 2, dashes=(1, 2))
    y = (top + bottom) / 2
    sheet.text(MIDDLE, y, mark.words[0], colour=GREY, ha="center")


def _draw_flights(sheet: Sheet, flights: list[Flight]) -> None:
    for flight in flights:
        data = flight.arrow.kind == "data"
        colour = INK if data else GREY
        sheet.line([flight.stroke], colour, 1.3, dashes=() if data else KERNEL, over=3)
        if flight.target:
            sheet.heads([flight.stroke], colour)
        elif flight.lost:
            _draw_void(sheet, flight, colour)
        if flight.box:
            x, y = (flight.box[0] + flight.box[2]) / 2, (flight.box[1] + flight.box[3]) / 2
            _draw_label(sheet, flight, x, y, colour)


def _draw_void(sheet: Sheet, flight: Flight, colour: str) -> None:
    """A ring where an arrow ends that nobody meets."""
    _, _, x, y = flight.stroke
    sheet.dots([(x, y)], colour, 7)
    sheet.dots([(x, y)], PAPER, 4)


def _draw_label(sheet: Sheet, flight: Flight, x: float, y: float, colour: str) -> None:
    sheet.text(x, y, flight.label, size=SIZE, colour=colour, mono=True, ha="center", backed=True)
