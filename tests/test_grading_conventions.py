"""The names that platforms give to files are read as their programs write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketlab.grading.conventions import (
    CANVAS_LATE,
    Said,
    attempt_number,
    blackboard,
    canvas,
    flat_canvas,
    gradescope,
    moodle,
    receipt,
)
from socketlab.grading.files import UnreadableError


def texts(said: Said | None) -> list[tuple[str, ...]]:
    """What names the people."""
    assert said
    return [named.texts for named in said.people]


@pytest.mark.parametrize(
    ("name", "people", "rest", "late"),
    [
        ("lovelaceada_4321_98765_lab.py", ("4321", "lovelaceada"), "lab.py", False),
        ("lovelaceada_LATE_4321_98765_lab-2.py", ("4321", "lovelaceada"), "lab-2.py", True),
        (
            "lovelaceada_4321_98765_my_lab_1_2000.py",
            ("4321", "lovelaceada"),
            "my_lab_1_2000.py",
            False,
        ),
        ("björkøståse_4321_98765_lab.zip", ("4321", "björkøståse"), "lab.zip", False),
        ("anon_aB3xY_98765_lab.py", ("anon_aB3xY",), "lab.py", False),
        ("LATE_anon_aB3xY_98765_lab.py", ("anon_aB3xY",), "lab.py", True),
    ],
)
def test_canvas(name: str, people: tuple[str, ...], rest: str, late: bool) -> None:
    said = canvas(name)
    assert texts(said) == [people]
    assert said
    assert (said.rest, said.when, said.notes) == (rest, None, (CANVAS_LATE,) if late else ())


@pytest.mark.parametrize(
    "name", ["01_echo_server.py", "s1234.py", "ada_lab_1.py", "lab_2026_11.py", ""]
)
def test_not_canvas(name: str) -> None:
    assert canvas(name) is None


def test_all_files_of_one_hand_in_are_one_group_in_canvas() -> None:
    names = ["lovelaceada_1_2001_a.py", "lovelaceada_LATE_1_2002_b.py", "lovelacebob_2_2003_a.py"]
    groups = [said.group for said in map(canvas, names) if said]
    assert groups[0] == groups[1] != groups[2]


def test_a_folder_is_from_canvas_if_most_of_it_is() -> None:
    names = [f"x/person{number}_{number}_{number + 5000}_lab.py" for number in range(3)]
    assert flat_canvas([*names, "x/grades.csv", "x/README"]) == {"x"}
    assert flat_canvas([names[0], "x/a.py", "x/b.py"]) == set()


@pytest.mark.parametrize(
    ("name", "people", "rest"),
    [
        ("Ada Lovelace_12345_assignsubmission_file_", ("Participant 12345", "Ada Lovelace"), ""),
        ("Ada Lovelace_12345_assignsubmission_file", ("Participant 12345", "Ada Lovelace"), ""),
        (
            "Ada Lovelace_12345_assignsubmission_file_my_lab.py",
            ("Participant 12345", "Ada Lovelace"),
            "my_lab.py",
        ),
        (
            "Ada Lovelace_12345_assignsubmission_onlinetext_",
            ("Participant 12345", "Ada Lovelace"),
            "",
        ),
        ("Participant_12345_assignsubmission_file_", ("Participant 12345", "Participant"), ""),
    ],
)
def test_moodle(name: str, people: tuple[str, ...], rest: str) -> None:
    said = moodle(name)
    assert texts(said) == [people]
    assert said
    assert said.rest == rest


def test_blind_marking_leaves_only_the_number() -> None:
    first, second = (moodle(f"Participant_{number}_assignsubmission_file_") for number in (1, 2))
    assert first
    assert second
    assert first.people[0].person.id != second.people[0].person.id


def test_blackboard() -> None:
    said = blackboard("Lab 1_ada_attempt_2026-11-20-14-05-33_my_lab.py")
    assert texts(said) == [("Lab 1_ada", "ada")]
    assert said
    assert said.rest == "my_lab.py"
    assert said.when == datetime(2026, 11, 20, 14, 5, 33).astimezone(UTC)
    beside = blackboard("Lab 1_ada_attempt_2026-11-20-14-05-33.txt")
    assert beside
    assert (beside.group, beside.rest) == (said.group, "")


def test_a_time_that_cannot_be_is_no_time() -> None:
    said = blackboard("Lab 1_ada_attempt_2026-13-20-14-05-33_lab.py")
    assert said
    assert said.when is None


def test_the_receipt_of_blackboard() -> None:
    text = "Name: Ada King (Lovelace) (ada_k)\nAssignment: Lab 1\nDate Submitted: Friday\n"
    named = receipt(text)
    assert named
    assert named.texts == ("ada_k", "Ada King (Lovelace)")
    assert receipt("Dear teacher,\n") is None


METADATA = b"""---
submission_101:
  :submitters:
  - :name: Ada Lovelace
    :sid: s1
    :email: ada@school.org
  :created_at: 2026-11-20 14:05:33.123456789 Z
  :score: 3.0
  :results: {tests: [{name: a, score: 1}]}
submission_102:
  :submitters:
  - :name: Bob Smith
    :sid:
    :email: bob@school.org
  - :name: Eve Jones
    :sid: 77
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: &1 2026-11-21 14:05:33 Z
    zone: !ruby/object:ActiveSupport::TimeZone
      name: Etc/UTC
    time: *1
"""


def test_gradescope() -> None:
    first, second = gradescope(METADATA).values()
    assert texts(first) == [("s1", "ada@school.org", "Ada Lovelace")]
    assert texts(second) == [("bob@school.org", "Bob Smith"), ("77", "Eve Jones")]
    assert first.when == datetime(2026, 11, 20, 14, 5, 33, 123456, tzinfo=UTC)
    assert second.when == datetime(2026, 11, 21, 14, 5, 33, tzinfo=UTC)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"- 1",
        b"submission_1: {}",
        b"submission_1: {':submitters': [{}]}",
        b"{" * 10_000,
        b"\xff\xfe\xfd",
        b"a: !!python/object/apply:os.system [exit]",
    ],
)
def test_what_gradescope_did_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError, match="Export it again"):
        gradescope(data)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("1", 1),
        ("12", 12),
        ("attempt_2", 2),
        ("Attempt 03", 3),
        ("v2", 2),
        ("01", 0),
        ("lab2", 0),
        ("2026", 0),
        ("", 0),
    ],
)
def test_attempts_in_folders(name: str, number: int) -> None:
    assert attempt_number(name) == number


@given(st.text(max_size=80))
def test_whatever_a_name_is_it_is_read_or_not(name: str) -> None:
    for convention in (canvas, moodle, blackboard):
        said = convention(name)
        assert said is None or (said.group and texts(said)[0][0])
