"""The ladder of a failed check, drawn by the page itself: two lifelines, time runs down.

SVG as text, made with ElementTree, so that whatever a program sent is escaped. Colours come from
the page's style sheet: the picture is the same in light, in dark and on paper. It is drawn twice,
wide (calls stand outside, as in the course's figures) and narrow (for a phone).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from socketlab.grading.out.clean import one_line
from socketlab.grading.out.exchange import Exchange, Row, words

EM = 7.3  # a character of monospace, at 12 units; wide ones (CJK) take two
LINE = 16  # between two lines of text
SLANT = 8  # how far an arrow falls: time passes
HUES = 6
LEFTWARD = {"receive", "hang up", "missing", "wanted"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand: the lifelines at `left` and `right`, and if words stand `outside`."""

    name: str
    width: int
    left: int
    right: int
    outside: bool

    @property
    def middle(self) -> float:
        """Between the lifelines."""
        return (self.left + self.right) / 2

    @property
    def room(self) -> int:
        """How many characters fit on an arrow, which must be seen at both ends."""
        return int((self.right - self.left - (80 if self.outside else 56)) / EM)


WIDE = Layout("wide", 820, 190, 630, outside=True)
NARROW = Layout("narrow", 360, 12, 348, outside=False)


def ladder(told: Exchange) -> Markup:
    """The picture, wide and narrow: the page shows the one that fits."""
    return Markup("").join(_Drawing(told, layout).markup() for layout in (WIDE, NARROW))


class _Drawing:
    """One picture while it is drawn, from top to bottom; `y` is how far it is."""

    def __init__(self, told: Exchange, layout: Layout) -> None:
        self.told, self.at = told, layout
        self.talkers = told.talkers
        self.svg = Element("svg", {"class": f"ladder {layout.name}", "role": "img"})
        self.svg.set("aria-label", one_line(words(told)))
        self.lines = SubElement(self.svg, "g")  # beneath all else
        self.y = 24.0
        self.bar_from = 0.0

    def markup(self) -> Markup:
        self._heads()
        for place, row in enumerate(self.told.rows):
            if place == self.told.outcome:
                self.bar_from = self.y
            self._row(row)
        self.bar_from = self.bar_from or self.y
        self._program()
        self._lifelines()
        self.svg.set("viewBox", f"0 0 {self.at.width} {self.y + 12:g}")
        return Markup(tostring(self.svg, encoding="unicode"))

    # What stands around the rows

    def _heads(self) -> None:
        calls = any(row.call == "call" for row in self.told.rows)
        one = self.talkers[0] if len(self.talkers) == 1 and not calls else "the checks"
        anchors = ("middle", "middle") if self.at.outside else ("start", "end")
        xs = (self.at.left, self.at.right) if self.at.outside else (0, self.at.width)
        self._text(xs[0], self.y, one, "head ours", anchors[0])
        self._text(xs[1], self.y, "your program", "head yours", anchors[1])
        self.y += 22

    def _lifelines(self) -> None:
        for x in (self.at.left, self.at.right):
            self._line(x, 36, x, self.y + 8, "life", self.lines)

    def _program(self) -> None:
        """What the program does while it should do something else."""
        doing, x = self.told.doing, self.at.right
        if not doing:
            return
        start, end = self.bar_from, max(self.y, self.bar_from + 40)
        if doing == "stopped":
            self._cross(x, start + 10)
        else:
            box = {"x": f"{x - 7}", "y": f"{start:g}", "width": "14", "height": f"{end - start:g}"}
            SubElement(self.lines, "rect", {**box, "class": f"bar {doing}"})
        said = {"waits": f"waits {self.told.at}", "busy": "busy", "stopped": self.told.at}[doing]
        if self.at.outside:
            self._beside(x + 18, start + 8, said, self.told.line, "start")
            self.y = max(end, start + 40)
        else:
            self.y = end + 14
            self._text(self.at.right - 12, self.y, f"{said}, {self.told.line}", "call", "end")

    # Rows

    def _row(self, row: Row) -> None:
        if row.kind == "gap":
            self._gap()
        elif row.kind == "note":
            self._note(row)
        else:
            self._arrow(row)

    def _gap(self) -> None:
        for x in (self.at.left, self.at.right):
            box = {"x": f"{x - 5}", "y": f"{self.y:g}", "width": "10", "height": "22"}
            SubElement(self.svg, "rect", {**box, "class": "paper"})
        self._text(self.at.middle, self.y + 15, "some steps later", "note", "middle")
        self.y += 32

    def _note(self, row: Row) -> None:
        """What a check did that is no message: words between the lifelines."""
        lines = wrap(row.text, int(self.at.room * 1.1))
        if row.call and self.at.outside:
            self._side(row, self.y + 10)
        elif row.call:
            lines = wrap(f"{row.who} {row.text}", self.at.room)
        if row.who:
            self._dot(row, self.y + 10)
        for number, line in enumerate(lines):
            self._text(self.at.middle, self.y + 14 + LINE * number, line, "note", "middle")
        self.y += LINE * len(lines) + 14

    def _arrow(self, row: Row) -> None:
        lines = wrap(row.text, self.at.room)
        label = self._label(row)
        if not self.at.outside and label:
            style = "failed" if row.failed else "wanted" if row.kind == "wanted" else ""
            style = f"side {style}" if style else "call"
            self._text(*self._inside(row), label, style, self._inside_anchor(row))
            self.y += 8
        height = max(LINE * len(lines), self._outside_height(row)) + 8
        middle = self.y + height / 2 + 2
        self._shaft(row, middle - SLANT / 2, middle + SLANT / 2)
        self._payload(row, lines, middle)
        if self.at.outside:
            self._side(row, middle - SLANT / 2)
        self.y += height + 14

    def _shaft(self, row: Row, start: float, end: float) -> None:
        back = row.kind in LEFTWARD
        x1, x2 = (self.at.right, self.at.left) if back else (self.at.left, self.at.right)
        tip = x2 + (6 if back else -6)
        style = _style(row)
        if row.kind == "missing":  # it never leaves
            x1, tip = self.at.right - 6, self.at.middle + 60
            self._line(x1, start, tip, start + SLANT / 2, style)
            self._cross(self.at.right - 16, start + 1)
            return
        self._line(x1 + (-6 if back else 6), start, tip, end, style)
        self._head(tip, end, 1 if back else -1, style.removeprefix("arrow"))
        if row.kind != "wanted" and not (row.failed and self.told.doing == "stopped"):
            self._dot(row, start)

    def _payload(self, row: Row, lines: Sequence[str], middle: float) -> None:
        width = max(map(columns, lines)) * EM + 12
        height = LINE * len(lines) + 2
        x, y = self.at.middle - width / 2, middle - height / 2
        box = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}"}
        SubElement(self.svg, "rect", {**box, "class": "paper"})
        kind = "word" if row.by_kernel or row.kind == "missing" else "pay"
        failed = " failed" if row.failed else " wanted" if row.kind == "wanted" else ""
        for number, line in enumerate(lines):
            self._text(self.at.middle, y + 13 + LINE * number, line, f"{kind}{failed}", "middle")

    # Words beside the lifelines

    def _label(self, row: Row) -> str:
        """What is said of a row where there is no room outside."""
        if row.kind in ("wanted", "missing", "hang up") or row.failed:
            return {"wanted": "wanted", "receive": "came back"}.get(row.kind, "")
        return ", ".join(filter(None, (f"{self._who(row)} {row.call}".strip(), row.note)))

    def _inside(self, row: Row) -> tuple[float, float]:
        back = row.kind in LEFTWARD and (row.failed or row.kind == "wanted")
        x = self.at.right - 12 if back else self.at.left + 12
        y, self.y = self.y + 10, self.y + 12
        return x, y

    def _inside_anchor(self, row: Row) -> str:
        return "end" if row.failed or row.kind == "wanted" else "start"

    def _side(self, row: Row, y: float) -> None:
        if row.failed or row.kind == "wanted":
            return self._verdict_side(row, y)
        self._beside(self.at.left - 18, y + 4, row.call, self._beneath(row), "end")
        return None

    def _verdict_side(self, row: Row, y: float) -> None:
        said = {"receive": "came back", "missing": "came back", "hang up": "came back"}
        word = said.get(row.kind, "wanted")
        style = "side wanted" if row.kind == "wanted" else "side failed"
        self._text(self.at.left - 18, y + SLANT + 4, word, style, "end")

    def _beneath(self, row: Row) -> str:
        return ", ".join(filter(None, (self._who(row), row.note)))

    def _who(self, row: Row) -> str:
        return row.who if len(self.talkers) > 1 else ""

    def _beside(self, x: float, y: float, call: str, beneath: str, anchor: str) -> None:
        for number, line in enumerate(wrap(call, 23)):
            self._text(x, y + LINE * number, line, "call", anchor)
        for number, line in enumerate(wrap(beneath, 26), len(wrap(call, 23))):
            self._text(x, y + LINE * number, line, "note", anchor)

    def _outside_height(self, row: Row) -> int:
        if not self.at.outside:
            return 0
        return LINE * len([*wrap(row.call, 23), *wrap(self._beneath(row), 26)])

    # Marks

    def _hue(self, row: Row) -> str:
        index = self.talkers.index(row.who) if row.who in self.talkers else 0
        return f"hue{index}" if len(self.talkers) <= HUES else "hue0"

    def _dot(self, row: Row, y: float) -> None:
        """Where an arrow begins."""
        back = row.kind in LEFTWARD
        where = {"cx": f"{self.at.right if back else self.at.left}", "cy": f"{y:g}", "r": "5"}
        SubElement(self.svg, "circle", {**where, "class": "yours" if back else self._hue(row)})

    def _cross(self, x: float, y: float) -> None:
        path = f"M{x - 5:g} {y - 5:g}l10 10m0 -10l-10 10"
        SubElement(self.svg, "path", {"d": path, "class": "cross"})

    def _head(self, x: float, y: float, way: int, style: str) -> None:
        path = f"M{x:g} {y:g}l{10 * way} -4v8z"
        SubElement(self.svg, "path", {"d": path, "class": f"tip{style}"})

    def _line(
        self, x1: float, y1: float, x2: float, y2: float, style: str, to: Element | None = None
    ) -> None:
        ends = {"x1": f"{x1:g}", "y1": f"{y1:g}", "x2": f"{x2:g}", "y2": f"{y2:g}"}
        SubElement(self.svg if to is None else to, "line", {**ends, "class": style})

    def _text(self, x: float, y: float, words: str, style: str, anchor: str) -> None:
        place = {"x": f"{x:g}", "y": f"{y:g}", "class": style, "text-anchor": anchor}
        SubElement(self.svg, "text", place).text = one_line(words)


def _style(row: Row) -> str:
    if row.kind == "wanted":
        return "arrow ghost"
    dashed = " dashed" if row.by_kernel or row.kind == "missing" else ""
    return "arrow" + dashed + " failed" * row.failed


def columns(text: str) -> int:
    """How many columns of monospace a text takes."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrap(text: str, width: int, most: int = 6) -> list[str]:
    """A text in lines of at most so many columns, cut at spaces where that is possible; of more
    than `most` lines the rest is left out."""
    lines, rest = [], one_line(text).strip()
    while rest and len(lines) < most:
        cut = _cut(rest, width)
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    if rest:
        lines[-1] = lines[-1][: _cut(lines[-1], width - 4)] + " ..."
    return lines


def _cut(text: str, width: int) -> int:
    """Where the first line of a text ends."""
    taken = 0
    for place, character in enumerate(text):
        taken += _columns(character)
        if taken > width:
            size = text.rfind(" (", 0, place + 1)  # how many bytes: together, if it can be
            space = max(size, 0) or text.rfind(" ", 0, place + 1)
            return space if space > width // 2 else place
    return len(text)
