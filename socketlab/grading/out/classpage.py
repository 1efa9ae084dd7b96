"""The page of the class, for the instructor: what is common, who needs a look, all points."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from socketlab.grading.out import charts, told
from socketlab.grading.out.clean import number, plural
from socketlab.grading.out.entries import Entry, Tallies, mistakes
from socketlab.grading.out.pages import stream
from socketlab.grading.submission import Refusal
from socketlab.learner import Lab

FILES = (
    ("grades.csv", "for a spreadsheet"),
    ("canvas.csv", "Canvas gradebook import"),
    ("moodle.csv", "Moodle grade import"),
    ("junit.xml", "JUnit XML, a suite for each learner"),
)


def class_page(
    entries: Sequence[Entry],
    tallies: Tallies,
    lab: Lab,
    course: str = "",
    refusals: Sequence[Refusal] = (),
) -> Iterator[str]:
    """The page, piece by piece. `refusals` are those of nobody who is known."""
    graded = [each for each in entries if each.graded]
    values = {"lab": lab, "course": course or "socketlab", "entries": entries, "files": FILES}
    values |= {"summary": _summary(entries, graded), "tallies": tallies.by_failures()}
    values |= {"mistakes": mistakes(graded), "graded": len(graded)}
    out_of = max((each.out_of for each in entries), default=0)
    points = [each.points for each in graded]
    values |= {"histogram": charts.histogram(points, out_of) if graded else ""}
    values |= {"refusals": [*_refused(entries), *((None, each) for each in refusals)]}
    helpers = {"link": link, "duration": told.duration, "meter": charts.meter}
    return stream("class.html", **values, **_apart(entries), **helpers)


def _apart(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Those that need a look, by why."""
    return {
        "missing": [each for each in entries if each.state == told.MISSING],
        "late": [each for each in entries if each.late],
        "given": [each for each in entries if each.override],
        "stopped": [each for each in entries if each.state in ("stopped", told.BROKE)],
        "noted": [each for each in entries if each.notes],
    }


def link(entry: Entry) -> str:
    """The address of a learner's page, from the class page."""
    return f"students/{quote(entry.folder)}/feedback.html"


def _refused(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Refusal]]:
    for each in entries:
        for refusal in each.refusals:
            yield each, refusal


def _summary(entries: Sequence[Entry], graded: Sequence[Entry]) -> str:
    said = [f"{len(graded):,} of {plural(len(entries), 'learner')} graded"]
    if graded:
        points = [each.points for each in graded]
        full = sum(each.points >= each.out_of for each in graded)
        said += [f"median {number(statistics.median(points))} of {number(graded[0].out_of)}"]
        said += [f"{full:,} with all points"]
    return ", ".join(said) + "."
