"""CSV for spreadsheets. Nothing that somebody else wrote is calculated by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from socketlab.grading.out.clean import cell, number
from socketlab.grading.out.entries import Entry

COLUMNS = (
    "id",
    "name",
    "email",
    "section",
    "points",
    "out_of",
    "earned",
    "lost_for_late",
    "hours_late",
    "by_hand",
    "attempts",
    "state",
    "likely_mistake",
    "checks_failed",
    "refused",
)


def table(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180): cells with commas, quotes or line ends are quoted, and those that a
    spreadsheet would take for a formula get an apostrophe in front."""
    stream = io.StringIO()
    writer = csv.writer(stream)  # lines end in CR LF
    writer.writerows([cell(value) for value in row] for row in rows)
    return stream.getvalue()


def grades_csv(entries: Iterable[Entry]) -> str:
    """The whole class, a row for each learner, with all that is known in numbers."""
    return table([COLUMNS, *map(_row, entries)])


def _row(entry: Entry) -> list[object]:
    person, given = entry.person, entry.override
    return [
        *(person.id, person.name, person.email, person.section),
        *(number(entry.points) if entry.graded else "", number(entry.out_of)),
        *(number(entry.earned), number(entry.lost), number(entry.late.total_seconds() / 3600)),
        *(given.reason if given else "", entry.attempts, entry.state),
        *(entry.mistake, len(entry.failed)),
        "; ".join(f"{refusal.name}: {refusal.reason}" for refusal in entry.refusals),
    ]
