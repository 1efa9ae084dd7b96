"""Tables and files for other programs: what they read back is what was meant."""

import base64
import csv
import io
import json
import re
import unicodedata
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from made_class import HOSTILE, LAB, a_class, grade, mixed, result

from socketlab.grading.out import gradebook_text
from socketlab.grading.out.clean import cell, number, one_line, visible
from socketlab.grading.out.entries import entry
from socketlab.grading.out.junit import junit, suite
from socketlab.grading.out.platforms import (
    canvas_csv,
    classroom,
    classroom_output,
    gradescope,
    moodle_csv,
)
from socketlab.grading.out.tables import COLUMNS, grades_csv, table
from socketlab.grading.out.told import duration
from socketlab.grading.result import Grade
from socketlab.grading.submission import Person
from socketlab.harness.verdicts import Verdict

FORMULAS = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", " =1", "\u00a0=1", "  \t-1", "\uff1d1"]
# What junit-10.xsd allows in each element: attributes, and children.
XSD = {
    "testsuites": (set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped"},
        {"properties", "testcase"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname"}, {"failure", "error", "skipped"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "skipped": ({"message", "type"}, set()),
}


def rows(text: str) -> list[list[str]]:
    """CSV as a spreadsheet reads it."""
    return list(csv.reader(io.StringIO(text, newline="")))


def entries(*grades: Grade) -> list:
    """What a table of the class keeps."""
    return [entry(each, each.person.id) for each in grades]


# CSV


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    assert cell(text) == "'" + visible(text)


@pytest.mark.parametrize("value", ["Ada", "a=b", "1", "a-b", 3, -2, 0.5, ""])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert cell(value) == value


@pytest.mark.parametrize(
    "name", ["Lovelace, Ada", 'the "first"', "two\nlines", "한글, é", "a;b\t"]
)
def test_names_come_back_from_csv(name: str) -> None:
    assert rows(table([["name", "points"], [name, 3]])) == [["name", "points"], [name, "3"]]


def test_every_table_of_a_hostile_class_is_whole_and_harmless() -> None:
    known = entries(*a_class())
    for text in (grades_csv(known), canvas_csv(known, LAB), moodle_csv(known, LAB)):
        found = rows(text)
        assert len({len(row) for row in found}) == 1
        assert len(found) in (len(known) + 1, len(known) + 2)
        cells = [each for row in found for each in row]
        assert [each for each in cells if re.match(r"\s*[=+\-@\t\r]", each)] == []


def test_the_table_of_the_class_says_all() -> None:
    late = grade("s1", mixed(), late=timedelta(hours=36), lost=1.25, points=0.75, name="Å, B")
    head, row = rows(grades_csv(entries(late)))
    told = dict(zip(head, row, strict=True))
    assert tuple(head) == COLUMNS
    assert (told["id"], told["name"], told["points"]) == ("s1", "Å, B", "0.75")
    assert (told["lost_for_late"], told["hours_late"]) == ("1.25", "36")
    assert told["checks_failed"] == "3"


# Canvas and Moodle


def test_canvas_finds_its_own_columns() -> None:
    columns = {"Student": "Lovelace, Ada", "ID": "4711", "SIS User ID": "u1", "SIS Login ID": "al"}
    person = Person("al", "Ada", columns=columns | {"Section": "Mon"})
    one = Grade(person=person, lab=LAB.name, points=3.5, out_of=7.0, result=mixed())
    head, possible, row = rows(canvas_csv(entries(one), LAB, "Lab 04 (99)"))
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lab 04 (99)"]
    assert "Points Possible" in possible[0]
    assert possible[-1] == "7"
    assert row == ["Lovelace, Ada", "4711", "u1", "al", "Mon", "3.5"]


def test_canvas_without_its_roster_uses_the_id_as_login() -> None:
    row = rows(canvas_csv(entries(grade("ada", mixed())), LAB))[2]
    assert row == ["Ada", "", "", "ada", "", "2"]


def test_nobody_gets_zero_for_what_was_not_graded() -> None:
    missing = entries(grade("s1"))
    assert rows(canvas_csv(missing, LAB))[2][-1] == ""
    assert rows(moodle_csv(missing, LAB))[1][-2:] == ["", ""]


def test_moodle_has_no_identifier_that_somebody_lacks() -> None:
    with_mail, without = grade("s1", mixed()), grade("s2", mixed())
    without = Grade(person=Person("s2"), lab=LAB.name, points=1, out_of=7, result=mixed())
    assert rows(moodle_csv(entries(with_mail), LAB))[0][:2] == ["ID number", "Email address"]
    assert rows(moodle_csv(entries(with_mail, without), LAB))[0][:1] == ["ID number"]
    assert "Email address" not in moodle_csv(entries(with_mail, without), LAB)
    assert rows(moodle_csv([], LAB))[0][-1] == "Feedback comments"


# Gradescope and Classroom


def test_gradescope_has_final_points_and_each_check() -> None:
    value = json.loads(json.dumps(gradescope(grade("s1", mixed(), points=1.5, lost=0.5))))
    assert value["score"] == 1.5
    assert sum(test["score"] for test in value["tests"]) == 2
    assert sum(test["max_score"] for test in value["tests"]) == 7
    assert [test.get("status") for test in value["tests"][:4]] == ["passed", *["failed"] * 2, None]
    assert "Most likely, your program forgets" in value["output"]
    assert value["tests"][5]["output"].startswith("This check is hidden")


@pytest.mark.parametrize("points", [2.0, 1.25, 7.0])
def test_classroom_adds_up_to_the_final_points(points: float) -> None:
    value = classroom(grade("s1", mixed(), points=points))
    assert sum(test["score"] for test in value["tests"]) == points
    assert value["max_score"] == 7
    assert value["status"] == "fail"
    assert json.loads(base64.b64decode(classroom_output(value))) == value


def test_classroom_knows_who_is_right_and_whose_checks_broke() -> None:
    right = result(Verdict("a", "it listens", "pass"))
    assert classroom(grade("s1", right))["status"] == "pass"
    assert classroom(grade("s1", result(status="broken")))["status"] == "error"


# JUnit


def check_against_schema(element: ElementTree.Element) -> None:
    """Each element has only what junit-10.xsd knows, and all that it must have."""
    attributes, children = XSD[element.tag]
    assert set(element.attrib) <= attributes
    assert {"testsuite", "testcase"}.isdisjoint([element.tag]) or "name" in element.attrib
    for child in element:
        assert child.tag in children
        check_against_schema(child)


def test_junit_parses_whatever_a_program_sent() -> None:
    tree = ElementTree.fromstring(junit(*(suite(each, LAB) for each in a_class())).encode())
    check_against_schema(tree)
    assert len(tree) == len(a_class())


def test_junit_counts() -> None:
    (found,) = ElementTree.fromstring(junit(suite(grade("s1", mixed()), LAB)))
    counts = {
        name: int(found.get(name, "")) for name in ("tests", "failures", "errors", "skipped")
    }
    assert counts == {"tests": 8, "failures": 2, "errors": 1, "skipped": 3}
    assert len(found.findall("testcase")) == 8
    assert len(found.findall("testcase/failure")) == 2


# Terminal, and small words


def test_the_gradebook_lines_up() -> None:
    lines = gradebook_text([grade("s1", mixed("x"), name="王小云"), grade("s2")], LAB).split("\n")
    assert lines[0] == "Lab 04, multi-connection server: 1 of 2 learners graded"
    assert lines[3] == "s1  王小云       2   7  graded         forgets x"
    assert lines[4] == "s2  S2           \N{EN DASH}   7  not handed in"


@pytest.mark.parametrize("text", HOSTILE)
def test_what_cannot_be_seen_is_written_out(text: str) -> None:
    assert one_line(text).isprintable()
    assert visible(text).encode("utf-8")


@pytest.mark.parametrize("joiner", ["ZERO WIDTH JOINER", "ZERO WIDTH NON-JOINER"])
def test_joiners_stay(joiner: str) -> None:
    text = unicodedata.lookup(joiner).join(["\N{WOMAN}", "\N{MICROSCOPE}"])
    assert visible(text) == text


@pytest.mark.parametrize(
    ("value", "shown"), [(14.0, "14"), (13.5, "13.5"), (0, "0"), (100, "100")]
)
def test_points_are_short(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("late", "shown"),
    [
        (timedelta(seconds=5), "1 minute"),
        (timedelta(minutes=59), "59 minutes"),
        (timedelta(days=1, hours=3, minutes=9), "1 day 3 hours"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_how_late(late: timedelta, shown: str) -> None:
    assert duration(late) == shown
