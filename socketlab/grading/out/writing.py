"""Everything that a graded class gives back, written into a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from socketlab.grading.out.classpage import class_page
from socketlab.grading.out.entries import Entry, Tallies, entry
from socketlab.grading.out.feedback import feedback
from socketlab.grading.out.files import Names, replacing, write
from socketlab.grading.out.jsonfile import json_text, write_result
from socketlab.grading.out.junit import HEAD, junit, suite
from socketlab.grading.out.platforms import canvas_csv, classroom, gradescope, moodle_csv
from socketlab.grading.out.tables import grades_csv
from socketlab.grading.result import Grade
from socketlab.grading.submission import Refusal
from socketlab.learner import Lab

STUDENTS = "students"


@dataclass
class _Class:
    """What is kept while learner after learner is written."""

    entries: list[Entry] = field(default_factory=list)
    tallies: Tallies = field(default_factory=Tallies)
    names: Names = field(default_factory=Names)
    files: dict[str, list[str]] = field(default_factory=dict)


def write_all(
    grades: Iterable[Grade],
    lab: Lab,
    folder: Path,
    *,
    class_name: str = "",
    assignment: str = "",
    refusals: Sequence[Refusal] = (),
) -> list[Path]:
    """Write a page and files for each learner, the page of the class and its tables. Returns the
    paths of the class's files, index.html first, then each learner's folder. `grades` is gone
    through once, and no grade is kept.

    `assignment` is the name of the column in Canvas and Moodle; `refusals` are those of nobody
    who is known. Each file is written whole or not at all; the same grades give the same bytes.
    """
    known = _Class()
    (folder / STUDENTS).mkdir(parents=True, exist_ok=True)
    paths = _learners(grades, lab, folder, class_name, known)
    return [*_of_class(known, lab, folder, class_name, assignment, refusals), *paths]


def _learners(
    grades: Iterable[Grade], lab: Lab, folder: Path, course: str, known: _Class
) -> list[Path]:
    with replacing(folder / "junit.xml") as suites:
        suites.write(f"{HEAD}<testsuites>\n")
        paths = []
        for grade in grades:
            suites.write(suite(grade, lab))
            paths.append(_learner(grade, lab, folder / STUDENTS, course, known))
        suites.write("</testsuites>\n")
    return paths


def _learner(grade: Grade, lab: Lab, folder: Path, course: str, known: _Class) -> Path:
    name = known.names.of(grade.person.id)
    own = folder / name
    own.mkdir(exist_ok=True)
    known.files[name] = [_write(own, *each) for each in _files(grade, lab, course)]
    known.entries.append(entry(grade, name))
    known.tallies.add(grade)
    return own


def _write(folder: Path, name: str, text: str) -> str:
    write(folder / name, text)
    return name


def _files(grade: Grade, lab: Lab, course: str) -> Iterator[tuple[str, str]]:
    """What one learner gets: names and contents."""
    yield "feedback.html", feedback(grade, lab, course)
    if grade.result and grade.submission:
        value = write_result(grade.result, grade.submission, grade)
        yield "result.json", json_text(value)
    if grade.result or grade.override:
        yield "results.json", json_text(gradescope(grade))
        yield "classroom.json", json_text(classroom(grade))
        yield "junit.xml", junit(suite(grade, lab))


def _of_class(
    known: _Class,
    lab: Lab,
    folder: Path,
    course: str,
    assignment: str,
    refusals: Sequence[Refusal],
) -> list[Path]:
    entries = known.entries
    with replacing(folder / "index.html") as page:
        page.writelines(class_page(entries, known.tallies, lab, course, refusals))
    tables = {
        "grades.csv": grades_csv(entries),
        "canvas.csv": canvas_csv(entries, lab, assignment),
        "moodle.csv": moodle_csv(entries, lab, assignment),
        "index.json": json_text(_index(known, lab)),
    }
    written = [write(folder / name, text) for name, text in tables.items()]
    return [folder / "index.html", *written, folder / "junit.xml"]


def _index(known: _Class, lab: Lab) -> dict[str, object]:
    """Whose folder is which."""
    students = [
        {
            "student": each.person.id,
            "folder": f"{STUDENTS}/{each.folder}",
            "files": known.files[each.folder],
        }
        for each in known.entries
    ]
    return {"lab": lab.name, "students": students}
