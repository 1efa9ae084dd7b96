"""Submissions are found as they come; what is not clear is refused and never guessed."""

import gzip
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from handed_in import GOOD, LAB, OTHER, ROOT, SMALL, entry, put, tarred, zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from socketlab.grading.choice import Candidate, choose, holes
from socketlab.grading.files import Limits, UnreadableError
from socketlab.grading.roster import Roster, parse_roster
from socketlab.grading.submission import Found, Submission
from socketlab.grading.submissions import PlaceError, find_submissions
from socketlab.learner import Lab

PROGRAM = "01_echo_server.py"
CHECKS = (ROOT / "labs" / "checks" / PROGRAM).read_bytes()
ROSTER = parse_roster(
    b"id,name,email\n"
    b"s1,Ada Lovelace,ada@school.org\n"
    b"s2,Bob Smith,bob@school.org\n"
    b"s3,Eve Jones,eve@school.org\n"
)
PROJECT = {
    f"course/labs/{PROGRAM}": GOOD,
    f"course/labs/checks/{PROGRAM}": CHECKS,
    "course/labs/02_framing.py": b"x = 1\n",
    "course/scripts/echo-server.py": GOOD,
    "course/README.md": b"",
}


def find(
    folder: Path, *names: str, roster: Roster | None = ROSTER, limits: Limits = SMALL
) -> Found:
    """What is found at these places in a folder."""
    places = [folder / name for name in names or ("class",)]
    return find_submissions(places, LAB, roster, limits)


def given_in(folder: Path, files: Mapping[str, bytes], roster: Roster | None = ROSTER) -> Found:
    """What is found in a folder with these files."""
    put(folder / "class", files)
    return find(folder, roster=roster)


def whose(found: Found) -> dict[str, str]:
    """Where each submission was found: the path by its student."""
    return {each.student: each.name for each in found.submissions}


def refused(found: Found) -> dict[str, str]:
    """Why each thing was refused: the reason by its path."""
    return {each.name: each.reason for each in found.refusals}


def one(found: Found) -> Submission:
    """The only submission, without a refusal beside it."""
    assert found.refusals == ()
    (submission,) = found.submissions
    return submission


def test_a_mixed_folder(tmp_path: Path) -> None:
    files = {
        "Ada Lovelace/server.py": GOOD,
        "s2.py": GOOD,
        "eve.zip": zipped(PROJECT),
        "roster.csv": b"id",
    }
    found = given_in(tmp_path, files)
    assert whose(found) == {
        "s1": "class/Ada Lovelace/server.py",
        "s2": "class/s2.py",
        "s3": f"class/eve.zip/course/labs/{PROGRAM}",
    }
    assert found.refusals == ()
    assert found.people == ROSTER.people
    assert {each.source for each in found.submissions} == {GOOD}
    assert all(each.handed_in for each in found.submissions)


def test_with_no_roster_the_ids_are_the_names(tmp_path: Path) -> None:
    files = {"ada/server.py": GOOD, "bob.tar.gz": tarred(PROJECT, "gz"), "s3_lab01.py": GOOD}
    found = given_in(tmp_path, files, None)
    assert list(whose(found)) == ["ada", "bob", "s3"]
    assert [person.id for person in found.people] == ["ada", "bob", "s3"]


def test_who_handed_in_nothing_has_nothing(tmp_path: Path) -> None:
    found = given_in(tmp_path, {f"s2/{PROGRAM}": GOOD})
    assert list(whose(found)) == ["s2"]
    assert [person.id for person in found.people] == ["s1", "s2", "s3"]


def test_a_name_that_nobody_has_is_not_guessed(tmp_path: Path) -> None:
    found = given_in(
        tmp_path, {f"s11/{PROGRAM}": GOOD, f"Ada Lovelac/{PROGRAM}": GOOD, "ada_x.py": GOOD}
    )
    assert found.submissions == ()
    assert set(refused(found)) == {"class/s11", "class/Ada Lovelac", "class/ada_x.py"}
    assert all("Nobody on the roster" in each.reason for each in found.refusals)
    assert {each.student for each in found.refusals} == {""}


@pytest.mark.parametrize("name", ["s1_s2/x.py", "s1/Bob Smith/x.py", "s1_s2.zip", "s1/s2.py"])
def test_one_thing_of_two_people_is_nobodys(tmp_path: Path, name: str) -> None:
    data = zipped(PROJECT) if name.endswith(".zip") else GOOD
    found = given_in(tmp_path, {name: data, f"s3/{PROGRAM}": GOOD})
    assert list(whose(found)) == ["s3"]
    assert ["s1 and s2" in each.reason for each in found.refusals] == [True]


def test_an_ambiguous_name_is_nobodys(tmp_path: Path) -> None:
    roster = parse_roster(b"id,name\ns1,Wei Wang\ns2,Wang Wei\n")
    found = given_in(tmp_path, {f"Wei Wang/{PROGRAM}": GOOD, f"s2/{PROGRAM}": GOOD}, roster)
    assert list(whose(found)) == ["s2"]
    assert "s1 and s2" in refused(found)["class/Wei Wang"]


def test_attempts_in_numbered_folders(tmp_path: Path) -> None:
    files = {f"s1/{n}/{PROGRAM}": GOOD + b"#" * n for n in (1, 2, 10)} | {
        f"s2/attempt_2/{PROGRAM}": GOOD
    }
    found = given_in(tmp_path, files)
    assert [(each.student, each.attempt) for each in found.submissions] == [
        ("s1", 1),
        ("s1", 2),
        ("s1", 10),
        ("s2", 2),
    ]
    assert [each.source.count(b"##") for each in found.submissions] == [0, 1, 5, 0]


def test_attempts_at_several_places_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    put(tmp_path, {f"late/s1/{PROGRAM}": OTHER, "early.tar": tarred({f"ada/{PROGRAM}": GOOD})})
    found = find(tmp_path, "late", "early.tar")
    assert [(each.attempt, each.source) for each in found.submissions] == [(1, GOOD), (2, OTHER)]


def test_attempts_without_a_time_say_so(tmp_path: Path) -> None:
    archive = zipped({"lovelaceada_1_2001_lab.py": GOOD, "lovelaceada_3_2002_lab.py": OTHER})
    put(tmp_path, {"class.zip": archive})
    found = find(tmp_path, "class.zip")
    assert [each.attempt for each in found.submissions] == [1, 2]
    assert all("Nothing tells which" in " ".join(each.notes) for each in found.submissions)


def test_canvas(tmp_path: Path) -> None:
    archive = zipped(
        {
            "lovelaceada_4321_90001_01_echo_server-2.py": GOOD,
            "smithbob_LATE_4322_90002_work.zip": zipped(PROJECT),
            "jonesevex_4323_90003_lab.py": GOOD,
        }
    )
    put(tmp_path, {"class/canvas.zip": archive})
    found = find(tmp_path)
    assert list(whose(found)) == ["s1", "s2"]
    assert [each.handed_in for each in found.submissions] == [None, None]
    assert found.submissions[0].notes == ()
    assert "Canvas marked it as late." in found.submissions[1].notes
    assert "'4323' or 'jonesevex'" in found.refusals[0].reason


def test_moodle(tmp_path: Path) -> None:
    archive = zipped(
        {
            f"Ada Lovelace_901_assignsubmission_file_/{PROGRAM}": GOOD,
            "Ada Lovelace_901_assignsubmission_onlinetext_/onlinetext.html": b"<p>Hello</p>",
            "Bob Smith_902_assignsubmission_file_/deep/er/work.zip": zipped(PROJECT),
            "Group 7_12_assignsubmission_file_/lab.py": GOOD,
        }
    )
    put(tmp_path, {"moodle.zip": archive})
    found = find(tmp_path, "moodle.zip")
    assert list(whose(found)) == ["s1", "s2"]
    assert ["Group 7" in reason for reason in refused(found).values()] == [True]


def test_blackboard(tmp_path: Path) -> None:
    name = "Lab_1_eve_attempt_2026-11-{}-14-05-33"
    files = {
        f"{name.format(21)}_server.py": OTHER,
        f"{name.format(20)}_server.py": GOOD,
        f"{name.format(20)}.txt": b"Name: Eve Jones (eve)\nAssignment: Lab_1\n",
    }
    found = given_in(tmp_path, files)
    assert [(each.student, each.attempt, each.source) for each in found.submissions] == [
        ("s3", 1, GOOD),
        ("s3", 2, OTHER),
    ]
    assert found.submissions[0].handed_in == datetime(2026, 11, 20, 14, 5, 33).astimezone(UTC)
    assert list(whose(find(tmp_path, roster=None))) == ["eve"]


METADATA = b"""
submission_5:
  :submitters:
  - :name: Ada L.
    :sid: s1
  - :name: Bob S.
    :sid: s2
  :created_at: 2026-11-20 14:05:33 Z
"""


@pytest.mark.parametrize("where", ["", "assignment_1_export/"])
def test_gradescope_with_two_who_worked_together(tmp_path: Path, where: str) -> None:
    files = {f"{where}submission_metadata.yml": METADATA, f"{where}submission_5/{PROGRAM}": GOOD}
    put(tmp_path, {"export.zip": zipped(files)})
    found = find(tmp_path, "export.zip")
    assert list(whose(found)) == ["s1", "s2"]
    assert found.submissions[0].notes == ("Handed in together with s2.",)
    assert found.submissions[0].handed_in == datetime(2026, 11, 20, 14, 5, 33, tzinfo=UTC)


def test_a_platforms_two_names_must_be_of_one_person(tmp_path: Path) -> None:
    roster = parse_roster(b"Student,ID\nAda Lovelace,4321\nBob Smith,4322\n")
    put(tmp_path, {"class.zip": zipped({"smithbob_4321_90001_lab.py": GOOD})})
    found = find(tmp_path, "class.zip", roster=roster)
    assert found.submissions == ()
    assert "4321 and 4322" in found.refusals[0].reason


def test_checkouts_of_a_classroom(tmp_path: Path) -> None:
    roster = parse_roster(
        b"identifier,github_username,github_id,name\nAda L,ada-l,1,\nEve J,l,2,\n"
    )
    found = given_in(
        tmp_path, {f"lab-1-ada-l/labs/{PROGRAM}": GOOD, f"lab-1-l/{PROGRAM}": OTHER}, roster
    )
    assert whose(found) == {
        "Ada L": f"class/lab-1-ada-l/labs/{PROGRAM}",
        "Eve J": f"class/lab-1-l/{PROGRAM}",
    }


def test_checkouts_whose_names_begin_alike(tmp_path: Path) -> None:
    names = ("ada", "bob", "eve")
    files = {f"net-2026-{name}/{PROGRAM}": GOOD for name in names} | {"README.md": b""}
    found = given_in(tmp_path, files)
    assert list(whose(found)) == ["s1", "s2", "s3"]
    found = given_in(tmp_path / "two", {f"net-2026-{name}/{PROGRAM}": GOOD for name in names[:2]})
    assert found.submissions == ()  # too few to tell what is their prefix


@pytest.mark.parametrize(
    ("place", "files"),
    [
        ("Ada Lovelace.zip", {"Ada Lovelace.zip": zipped(PROJECT)}),
        ("s1.tar.xz", {"s1.tar.xz": tarred({PROGRAM: GOOD}, "xz")}),
        (f"ada/{PROGRAM}", {f"ada/{PROGRAM}": GOOD}),
        ("ada.py", {"ada.py": GOOD}),
        ("ada", {f"ada/{PROGRAM}": GOOD, "ada/helper.py": b"x = 1\n"}),
    ],
)
@pytest.mark.parametrize("roster", [ROSTER, None])
def test_one_learners_work_as_the_place_itself(
    tmp_path: Path, place: str, files: Mapping[str, bytes], roster: Roster | None
) -> None:
    put(tmp_path, files)
    submission = one(find(tmp_path, place, roster=roster))
    assert submission.source == GOOD
    assert submission.student in ("s1", "ada", "Ada Lovelace")


@pytest.mark.parametrize("around", ["", "submissions/", "week 4/lab_1/"])
def test_a_class_in_one_archive(tmp_path: Path, around: str) -> None:
    names = [f"{around}{name}/{PROGRAM}" for name in ("ada", "bob", "eve")]
    put(tmp_path, {"all.zip": zipped(dict.fromkeys(names, GOOD))})
    assert list(whose(find(tmp_path, "all.zip"))) == ["s1", "s2", "s3"]
    if around != "week 4/lab_1/":
        assert list(whose(find(tmp_path, "all.zip", roster=None))) == ["ada", "bob", "eve"]
    assert list(
        whose(
            find(put(tmp_path / "class", {"all.zip": (tmp_path / "all.zip").read_bytes()}).parent)
        )
    ) == ["s1", "s2", "s3"]


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=r"There is no file or folder .*clas"):
        find(tmp_path, "clas")


def test_a_hostile_archive_costs_only_its_learner(tmp_path: Path) -> None:
    header = entry("a.py", tarfile.REGTYPE)
    header.size = 64 << 20
    bomb = gzip.compress(header.tobuf() + bytes(64 << 20))
    files = {
        "s1.tar.gz": bomb,
        "s2.zip": zipped({"../../evil.py": b"1", PROGRAM: GOOD}),
        "s3.zip": zipped({"x.zip": zipped({"y.zip": zipped({PROGRAM: GOOD})})}),
        "Bob Smith.zip": b"PK\3\4 no",
    }
    found = given_in(tmp_path, files)
    assert whose(found) == {"s2": f"class/s2.zip/{PROGRAM}"}
    reasons = refused(found)
    assert "bomb" in reasons["class/s1.tar.gz"]
    assert '".."' in reasons["class/s2.zip/../../evil.py"]
    assert "archive in an archive" in reasons["class/s3.zip/x.zip/y.zip"]
    assert "damaged" in reasons["class/Bob Smith.zip"]
    assert {each.student for each in found.refusals} == {"s1", "s2", "s3"}
    assert not (tmp_path.parent / "evil.py").exists()


def test_what_one_learner_may_cost_is_bounded_over_all_archives(tmp_path: Path) -> None:
    many = {f"s1/{n}.tar": tarred({"a.py": bytes(9_000)}) for n in range(40)}
    found = given_in(tmp_path, {**many, f"s2/{PROGRAM}": GOOD})
    assert list(whose(found)) == ["s2"]
    limits = Limits(total=100_000)
    found = find(tmp_path, limits=limits)
    assert "may be read" in " ".join(refused(found).values())
    assert list(whose(found)) == ["s2"]


def test_the_order_is_always_the_same(tmp_path: Path) -> None:
    put(tmp_path / "a", {f"s{n}/{PROGRAM}": GOOD for n in (3, 1)})
    put(tmp_path / "b", {f"s2/{PROGRAM}": GOOD, "x/y.py": GOOD, "w.py": GOOD})
    found = find(tmp_path, "a", "b")
    assert [each.student for each in found.submissions] == ["s1", "s2", "s3"]
    assert [each.name for each in found.refusals] == ["b/w.py", "b/x"]
    again = find(tmp_path, "b", "a")
    assert (again.people, again.refusals) == (found.people, found.refusals)
    assert again.submissions == found.submissions


def candidates(files: Mapping[str, bytes]) -> list[Candidate]:
    """Python files of one submission."""
    return [Candidate(f"ada/{name}", name, data) for name, data in files.items()]


def chosen(files: Mapping[str, bytes], lab: Lab = LAB) -> tuple[str, tuple[str, ...]]:
    """The file that is chosen, and the notes."""
    choice = choose(candidates(files), [], lab)
    return choice.program.rest, choice.notes


CALLED = "The file is called {}, not 01_echo_server.py."


@pytest.mark.parametrize(
    ("files", "wanted", "notes"),
    [
        ({PROGRAM: GOOD, "server.py": OTHER}, PROGRAM, ()),
        ({f"labs/{PROGRAM}": GOOD, f"labs/checks/{PROGRAM}": CHECKS}, f"labs/{PROGRAM}", ()),
        ({f"a/{PROGRAM}": GOOD, f"b/{PROGRAM}": GOOD}, f"a/{PROGRAM}", ()),
        ({"01_echo_server-2.py": GOOD}, "01_echo_server-2.py", ()),
        ({"01_echo_server (1).py": GOOD, "x.py": b"1"}, "01_echo_server (1).py", ()),
        ({"01-Echo-Server.PY": GOOD}, "01-Echo-Server.PY", (CALLED.format("01-Echo-Server.PY"),)),
        ({"lab1.py": b"x = (", "b.py": GOOD}, "lab1.py", (CALLED.format("lab1.py"),)),
        ({"ada_01.py": GOOD, "02_framing.py": b"1"}, "ada_01.py", (CALLED.format("ada_01.py"),)),
        ({"server.py": GOOD, "client.py": b"x = 1\n"}, "server.py", (CALLED.format("server.py"),)),
        ({"server.py": GOOD, "empty.py": b" \n"}, "server.py", (CALLED.format("server.py"),)),
        (
            {"mine.py": b"x = ("},
            "mine.py",
            (CALLED.format("mine.py"), "It does not define make_listener, serve_forever."),
        ),
    ],
)
def test_which_file_is_the_program(
    files: Mapping[str, bytes], wanted: str, notes: tuple[str, ...]
) -> None:
    assert chosen(files) == (wanted, notes)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, ["no file in it", PROGRAM]),
        ({"a.py": GOOD, "b.py": OTHER}, ["Several files", "ada/a.py, ada/b.py"]),
        ({f"a/{PROGRAM}": GOOD, f"b/{PROGRAM}": OTHER}, ["Several files"]),
        ({"lab1.py": b"x = (", "01.py": b"y = ("}, ["Several files"]),
        ({"02_framing.py": b"x = 1\n"}, ["None of these is for Lab 01"]),
        ({"x.py": b"1", "y.py": b"2"}, ["None of these", "Call the program"]),
        ({PROGRAM: b""}, ["is empty"]),
        ({PROGRAM: b"\xef\xbb\xbf \r\n"}, ["is empty"]),
        ({PROGRAM: b"", "server.py": GOOD}, ["is empty"]),
        ({PROGRAM: b'{\n "cells": [],'}, ["is a notebook", "File"]),
        ({PROGRAM: b"PK\3\4\x14\0"}, ["a zip archive or a document"]),
        ({PROGRAM: b"{\\rtf1"}, ["a document"]),
        ({PROGRAM: b"%PDF-1.7"}, ["a PDF"]),
        ({PROGRAM: b"\xef\xbb\xbf<!DOCTYPE html>"}, ["a web page"]),
    ],
)
def test_what_is_not_clear_is_refused_with_what_to_do(
    files: Mapping[str, bytes], words: list[str]
) -> None:
    with pytest.raises(UnreadableError) as caught:
        chosen(files)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"s1/lab.ipynb": b"{}"}, "is a notebook"),
        ({"s1/01_echo_server.docx": b"PK"}, "no Python file, only class/s1/01_echo_server.docx"),
        (
            {"s1/01_echo_server.py.txt": GOOD},
            "no Python file, only class/s1/01_echo_server.py.txt",
        ),
        ({"s1/work.rar": b"Rar!"}, "no Python file, only class/s1/work.rar"),
        ({f"s1/{PROGRAM}": bytes(SMALL.entry + 1)}, "larger than 10,000 bytes"),
    ],
)
def test_what_is_no_python_file_is_refused(
    tmp_path: Path, files: Mapping[str, bytes], words: str
) -> None:
    found = given_in(tmp_path, files)
    assert found.submissions == ()
    assert [each.student for each in found.refusals] == ["s1"]
    assert words in found.refusals[0].reason


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "class" / "s1" / PROGRAM).mkdir(parents=True)
    found = find(tmp_path)
    assert f"class/s1/{PROGRAM} is a folder" in found.refusals[0].reason
    put(tmp_path / "class" / "s1" / PROGRAM, {"main.py": GOOD})
    assert one(find(tmp_path)).name == f"class/s1/{PROGRAM}/main.py"


@pytest.mark.parametrize("number", range(1, 7))
def test_each_labs_solutions_are_found_whatever_they_are_called(number: int) -> None:
    path = next((ROOT / "solutions").glob(f"{number:02}_*.py"))
    lab = Lab(ROOT, path.stem)
    assert holes(lab)
    renamed = {"mine.py": path.read_bytes(), "helper.py": b"def help(): pass\n"}
    assert chosen(renamed, lab)[0] == "mine.py"
    for other in (ROOT / "solutions").glob("*/*.py"):
        if other.parent.name in ("correct", "mutants") and other.name.startswith(f"{number:02}_"):
            assert chosen({other.name: other.read_bytes()}, lab)[0] == other.name


PARTS = [
    "s1",
    "ada",
    "Bob Smith",
    "lab1",
    "1",
    "x",
    "class",
    "01_echo_server",
    "a_1_2000_b",
    "Eve Jones_5_assignsubmission_file_",
    "L_ada_attempt_2026-11-20-14-05-33_x",
]
ENDS = ["", ".py", ".zip", ".tar", ".txt", ".ipynb"]
PATHS = st.tuples(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=3), st.sampled_from(ENDS)
).map(lambda pair: "/".join(pair[0]) + pair[1])


@settings(max_examples=80, deadline=None)
@given(st.lists(PATHS, max_size=6, unique=True), st.sampled_from([None, ROSTER]))
def test_whatever_the_names_everything_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, paths: list[str], roster: Roster | None
) -> None:
    inner = zipped({f"{path}.py" if path in paths else path: GOOD for path in paths})
    put_in = {
        path + ("" if "." in path else ".py"): inner if path.endswith(".zip") else GOOD
        for path in paths
    }
    archive = tmp_path_factory.mktemp("x") / "class.zip"
    archive.write_bytes(zipped(put_in))
    found = find_submissions([archive], LAB, roster, SMALL)
    known = {person.id for person in found.people}
    assert {each.student for each in found.submissions} <= known
    assert {each.student for each in found.refusals} <= known | {""}
    assert bool(found.submissions or found.refusals) == bool(paths)
    assert find_submissions([archive], LAB, roster, SMALL) == found
