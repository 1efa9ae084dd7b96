"""Grades in the forms that learning platforms take.

Points are final: late rules and overrides are in them. Where nothing was graded the cell stays
empty, so that the platform's own rule for missing work decides.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from socketlab.grading.out import told
from socketlab.grading.out.clean import number, visible
from socketlab.grading.out.entries import Entry
from socketlab.grading.out.tables import table
from socketlab.grading.out.told import Told
from socketlab.grading.result import Grade
from socketlab.grading.submission import Person
from socketlab.harness.report import explanation, likely
from socketlab.learner import Lab

CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
HIDDEN_CHECK = "This check is hidden: its outcome is told, and nothing else."


def canvas_csv(entries: Sequence[Entry], lab: Lab, assignment: str = "") -> str:
    """A file for Canvas: Grades, Import. `assignment` is the column's title there, with its
    number if Canvas gave it one: "Lab 04 (1234)".

    Source: `lib/gradebook_importer.rb` and `lib/gradebook_exporter.rb` of instructure/canvas-lms.
    The header must begin with Student and ID, and Section must come last before assignments. A
    learner is found by ID (Canvas's own), else by SIS User ID, else by SIS Login ID, else by name.
    These come from the roster if it was exported from Canvas; else SIS Login ID is the id.
    """
    out_of = max((each.out_of for each in entries), default=0)
    head = [*CANVAS, assignment or lab.title]
    possible = ["    Points Possible", "", "", "", "", number(out_of)]
    return table([head, possible, *map(_canvas_row, entries)])


def _canvas_row(entry: Entry) -> list[object]:
    person = entry.person
    known = [column(person, name) for name in CANVAS]
    known[0] = known[0] or person.name or person.id
    known[3] = known[3] or ("" if known[1] or known[2] else person.id)
    known[4] = known[4] or person.section
    return [*known, number(entry.points) if entry.graded else ""]


def moodle_csv(entries: Sequence[Entry], lab: Lab, assignment: str = "") -> str:
    """A file for Moodle: Grades, Import, CSV. Identify users by "ID number" or, where everybody
    has one, by "Email address" or "Username"; map the last two columns to the grade and its
    feedback.

    Source: `grade/import/csv/classes/load_data.php` of moodle/moodle. It finds a user by id,
    idnumber, email or username, takes an empty grade for none, stops the whole import at a user
    that it does not know, and gives the grade of a row without one to the row before: so a column
    that is not filled for everybody is left out.
    """
    known: dict[str, list[str]] = {
        "ID number": [column(each.person, "ID number") or each.person.id for each in entries],
        "Email address": [each.person.email for each in entries],
        "Username": [column(each.person, "Username") for each in entries],
    }
    known = {name: values for name, values in known.items() if values and all(values)}
    rows = zip(*known.values(), entries, strict=True)
    head = [*known, assignment or lab.title, "Feedback comments"]
    return table([head, *([*values, *_moodle_grade(each)] for *values, each in rows)])


def _moodle_grade(entry: Entry) -> list[str]:
    said = f"Most likely, your program {entry.mistake}." if entry.mistake else ""
    return [number(entry.points) if entry.graded else "", said]


def column(person: Person, name: str) -> str:
    """What the roster says in a column of this name, in any case; "" if it has none."""
    found = (value for key, value in person.columns.items() if _key(key) == _key(name))
    return next(found, "")


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def gradescope(grade: Grade) -> dict[str, Any]:
    """One learner's `results.json`, as an autograder on Gradescope leaves it in
    /autograder/results.

    Source: gradescope-autograders.readthedocs.io/en/latest/specs/. The score at the top counts
    in place of the tests' sum: it has late rules and overrides in it. Turn Gradescope's own late
    penalty off.
    """
    value: dict[str, Any] = {"score": grade.points, "output": _summary(grade)}
    value |= {"output_format": "text", "test_output_format": "text", "test_name_format": "text"}
    value |= {"visibility": "visible", "stdout_visibility": "hidden"}
    checks = told.told(grade.result)
    return value | {"tests": [_test(number, check) for number, check in enumerate(checks, 1)]}


def _summary(grade: Grade) -> str:
    """What is said of the whole submission, in plain text."""
    checks, result = told.told(grade.result), grade.result
    said = [told.problem(result), *told.adjustments(grade)]
    said += [f"{refusal.name}: {refusal.reason}" for refusal in grade.refusals]
    if result and result.diagnosis:
        said.append(likely(result.diagnosis, result.cause, result.read))
    said += [told.HIDDEN] if any(check.hidden for check in checks) else []
    return visible("\n\n".join(filter(None, said)))


def _test(place: int, check: Told) -> dict[str, Any]:
    status = {"pass": "passed", "fail": "failed", "error": "failed"}
    value: dict[str, Any] = {"name": visible(check.verdict.title), "number": f"{place}"}
    value |= {"score": check.points, "max_score": int(check.counts), "output": text_of(check)}
    if check.verdict.outcome in status or check.counts:
        value["status"] = status.get(check.verdict.outcome, "failed")
    return value | {"visibility": "visible"}


def text_of(check: Told) -> str:
    """Why a check does not pass, in plain text; "" if it does."""
    if check.verdict.outcome == "pass":
        return ""
    if check.hidden:
        return HIDDEN_CHECK
    if check.verdict.outcome == "skip":
        return visible(check.verdict.happened)
    return visible(explanation(check.verdict))


def classroom(grade: Grade) -> dict[str, Any]:
    """One learner's result for GitHub Classroom, as a test runner hands it, in base64, to
    `education/autograding-grading-reporter` (see `classroom_output()`).

    Source: `src/notify-classroom.js`, `src/aggregate-results.js` and `src/main.js` of that
    action: the total is the sum of the tests' scores, of `max_score`. Points that late rules take
    or an instructor gives are a test of their own.
    """
    checks = [check for check in told.told(grade.result) if check.counts]
    tests = [_classroom_test(check) for check in checks]
    if change := round(grade.points - sum(check.points for check in checks), 2):
        message = " ".join(told.adjustments(grade)) or "Points changed by hand."
        change_test = {"name": "Late rules and points given by hand", "score": change}
        tests.append({**change_test, "status": "pass", "message": visible(message)})
    status = "pass" if tests and all(test["status"] == "pass" for test in tests) else "fail"
    if grade.result and grade.result.status == "broken":
        status = "error"
    return {"version": 1, "status": status, "max_score": grade.out_of, "tests": tests}


def _classroom_test(check: Told) -> dict[str, Any]:
    status = {"pass": "pass", "error": "error"}.get(check.verdict.outcome, "fail")
    value = {"name": visible(check.verdict.title), "status": status, "score": check.points}
    return value | {"message": text_of(check), "line_no": 0}


def classroom_output(value: dict[str, Any]) -> str:
    """The same as the base64 text that a workflow step sets as its output `result`."""
    return base64.b64encode(json.dumps(value).encode()).decode()
