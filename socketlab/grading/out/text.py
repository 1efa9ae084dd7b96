"""The gradebook as a table for a terminal, which obeys nothing that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterable

from socketlab.grading.out.clean import number, one_line, plural
from socketlab.grading.out.entries import Entry, entry
from socketlab.grading.out.ladder import columns
from socketlab.grading.out.told import duration
from socketlab.grading.result import Grade
from socketlab.learner import Lab

HEAD = ("id", "name", "points", "of", "state", "the program ...")
WIDEST = (20, 26, 6, 4, 32, 44)  # columns of a cell; what is longer is cut
RIGHT = {2, 3}


def gradebook_text(grades: Iterable[Grade], lab: Lab) -> str:
    """The class, a line for each learner, and how many were graded."""
    entries = [entry(grade, "") for grade in grades]
    rows = [HEAD, *map(_row, entries)]
    cells = [[_cut(text, most) for text, most in zip(row, WIDEST, strict=True)] for row in rows]
    widths = [max(map(columns, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(_pad(*cell) for cell in zip(row, widths, range(6), strict=True)) for row in cells
    ]
    graded = sum(each.graded for each in entries)
    total = f"{lab.title}: {graded:,} of {plural(len(entries), 'learner')} graded"
    return "\n".join([total, "", *(line.rstrip() for line in lines)])


def _row(entry: Entry) -> tuple[str, ...]:
    points = number(entry.points) if entry.graded else "\N{EN DASH}"
    state = entry.state + (f", {duration(entry.late)} late" if entry.late else "")
    state += ", by hand" if entry.override else ""
    mistake = entry.mistake or "; ".join(each.reason for each in entry.refusals)
    return entry.person.id, entry.person.name, points, number(entry.out_of), state, mistake


def _cut(text: str, most: int) -> str:
    shown = one_line(text)
    if columns(shown) <= most:
        return shown
    while columns(shown) > most - 1:
        shown = shown[:-1]
    return shown + "\N{HORIZONTAL ELLIPSIS}"


def _pad(text: str, width: int, place: int) -> str:
    space = " " * (width - columns(text))
    return space + text if place in RIGHT else text + space
