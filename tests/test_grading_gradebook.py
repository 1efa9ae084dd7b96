"""A gradebook loses nothing that it took, whoever ends its process, and says what it cannot do."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from gradebooks import (
    DAY,
    DUE,
    HOUR,
    LAB,
    class_of,
    everything_in,
    extension,
    override,
    program,
    result,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_values import EXTENSIONS, OVERRIDES, PEOPLE, REFUSALS, RESULTS, RULES, SUBMISSIONS, TEXT

from socketlab.grading.gradebook import Gradebook, GradebookError
from socketlab.grading.plain import from_json, to_json
from socketlab.grading.policy import NO_TIME, Extension, Rules
from socketlab.grading.result import Override, Result
from socketlab.grading.storage import column, text
from socketlab.grading.submission import Found, Person, Refusal, Submission

VERSION = ("c1", "0.1")
same_book = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the gradebook is."""
    return tmp_path / "gradebook.sqlite"


@pytest.fixture
def book(path: Path) -> Iterator[Gradebook]:
    """An open one, with nothing in it."""
    with Gradebook(path) as book:
        yield book


def points(book: Gradebook, *version: str) -> dict[str, float]:
    """What each learner has."""
    return {grade.person.id: grade.points for grade in book.grades(LAB, *version)}


# Values


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Person, PEOPLE),
        (Refusal, REFUSALS),
        (Result, RESULTS),
        (Rules, RULES),
        (Override, OVERRIDES),
        (Extension, EXTENSIONS),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_values_come_back_as_they_were(kind: type, values, data) -> None:
    value = data.draw(values)
    assert from_json(kind, to_json(value)) == value


@given(TEXT, TEXT)
def test_any_text_is_a_column_of_its_own(one: str, other: str) -> None:
    assert text(column(one)) == one
    assert (column(one) == column(other)) == (one == other)
    column(one).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"lab": 5}',
        b"\xff",
        b'{"id": "ada", "columns": {"a": 5}}',
        b'{"id": "ada", "rank": 1}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_value_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no Person"):
        from_json(Person, data)


@same_book
@given(
    lab=TEXT,
    people=st.lists(PEOPLE, max_size=3, unique_by=lambda person: person.id),
    submissions=st.lists(SUBMISSIONS, max_size=3, unique_by=repr),
    refusals=st.lists(REFUSALS, max_size=3),
    rules=RULES,
)
def test_a_search_comes_back_as_it_was(book, lab, people, submissions, refusals, rules) -> None:
    found = Found(tuple(people), tuple(submissions), tuple(refusals))
    book.begin(lab, found, rules)
    assert book.people(lab)[: len(people)] == found.people
    assert tuple(book.submissions(lab)) == found.submissions
    assert (book.refusals(lab), book.rules(lab)) == (found.refusals, rules)
    assert lab in book.labs()
    known = {person.id for person in people}
    strangers = dict.fromkeys(
        each.student
        for each in (*submissions, *refusals)
        if each.student and each.student not in known
    )
    assert book.people(lab)[len(people) :] == tuple(map(Person, strangers))


@same_book
@given(submission=SUBMISSIONS, graded=RESULTS)
def test_any_result_is_the_learners_grade(book, submission, graded) -> None:
    graded = replace(graded, digest=submission.digest)
    book.begin(graded.lab, class_of(submission), Rules())
    book.add(submission.student, graded)
    (grade,) = book.grades(graded.lab, graded.checks, graded.grader)
    assert grade.submission == submission
    assert grade.result in (graded, book.find(submission.student, graded))
    key = (submission.student, graded.lab, graded.digest, graded.checks, graded.grader)
    assert book.has(*key) or graded.status == "broken"


# Results


def test_the_same_key_twice_is_ignored(book: Gradebook) -> None:
    ada = program("ada")
    book.begin(LAB, class_of(ada), Rules())
    book.add("ada", result(ada, 3))
    book.add("ada", result(ada, 9))
    assert points(book) == {"ada": 3}
    assert len(list(book.results())) == 1


def test_has_asks_for_all_of_the_key(book: Gradebook) -> None:
    ada = program("ada")
    key = ("ada", LAB, ada.digest, "c1", "0.1")
    book.add("ada", result(ada))
    assert book.has(*key)
    for part in range(len(key)):
        assert not book.has(*key[:part], "other", *key[part + 1 :])


def test_where_the_grader_failed_it_tries_again(book: Gradebook) -> None:
    ada = program("ada")
    failed = result(ada, 0, status="broken")
    book.begin(LAB, class_of(ada), Rules())
    book.add("ada", failed)
    book.add("ada", failed)
    assert not book.has("ada", LAB, ada.digest, "c1", "0.1")
    assert [grade.result for grade in book.grades(LAB)] == [failed]
    book.add("ada", result(ada, 4))
    book.add("ada", failed)
    assert book.has("ada", LAB, ada.digest, "c1", "0.1")
    assert points(book) == {"ada": 4}
    assert [each.status for _, each in book.results()] == ["broken", "graded"]


def test_the_latest_result_counts_first_of_the_version_asked_for(book: Gradebook) -> None:
    ada, bob = program("ada"), program("bob")
    book.begin(LAB, class_of(ada, bob), Rules())
    book.add("ada", result(ada, 1, checks="c1"))
    book.add("ada", result(ada, 2, checks="c2"))
    book.add("ada", result(ada, 3, checks="c2", grader="0.2"))
    book.add("bob", result(bob, 5, checks="c1"))
    assert points(book) == {"ada": 3, "bob": 5}
    assert points(book, "c1", "0.1") == {"ada": 1, "bob": 5}
    assert points(book, "c2", "0.1") == {"ada": 2, "bob": 5}
    assert points(book, "c9", "0.2") == {"ada": 3, "bob": 5}


def test_everybody_has_a_grade_in_the_rosters_order(book: Gradebook) -> None:
    refusal = Refusal("cy", "cy.zip", "It is no archive.")
    eve = program("eve")
    found = class_of(eve, program("dan"), people=["fay", "eve", "dan", "cy"], refusals=(refusal,))
    book.begin(LAB, found, Rules())
    book.add("eve", result(eve, 6))
    grades = list(book.grades(LAB))
    assert [grade.person.id for grade in grades] == ["fay", "eve", "dan", "cy"]
    assert [grade.out_of for grade in grades] == [10] * 4
    assert [grade.attempts for grade in grades] == [0, 1, 1, 0]
    assert [grade.refusals for grade in grades] == [(), (), (), (refusal,)]
    assert (grades[2].result, grades[2].submission) == (None, program("dan"))


def test_two_learners_with_one_program_have_a_result_each(book: Gradebook) -> None:
    ada = program("ada")
    bob = replace(ada, student="bob")
    book.begin(LAB, class_of(ada, bob), Rules())
    book.add("ada", result(ada, 6))
    assert points(book) == {"ada": 6, "bob": 0}
    assert list(book.store.rows("SELECT count(*) FROM sources")) == [(1,)]


def test_a_new_search_is_the_class_and_keeps_what_was(book: Gradebook) -> None:
    old, new, bob = program("ada", 1), program("ada", 2), program("bob")
    book.begin(LAB, class_of(old, bob), Rules(per_day=0.5))
    book.add("ada", result(old, 9))
    book.add("bob", result(bob, 9))
    book.begin(LAB, class_of(new), Rules())
    assert points(book) == {"ada": 0}
    assert list(book.earlier_submissions(LAB)) == [old, bob]
    book.begin(LAB, class_of(new, bob, old), Rules())
    assert list(book.submissions(LAB)) == [new, bob, old]
    assert points(book) == {"ada": 9, "bob": 9}


def test_rules_and_decisions_outlive_a_regrade(book: Gradebook) -> None:
    ada, bob = program("ada", late=HOUR), program("bob", late=HOUR)
    unknown = program("cy")
    book.begin(LAB, class_of(ada, bob, unknown), Rules(DUE, per_day=0.1))
    for each in (ada, bob, unknown):
        book.add(each.student, result(each, 5))
    assert points(book) == {"ada": 4, "bob": 4, "cy": 5}
    book.extend(extension("ada", 24))
    book.override(override("bob", 9.5))
    assert points(book) == {"ada": 5, "bob": 9.5, "cy": 5}
    for each in (ada, bob, unknown):
        book.add(each.student, result(each, 8, checks="c2"))
    book.begin(LAB, class_of(ada, bob, unknown), Rules(DUE, per_day=0.2))
    assert points(book) == {"ada": 8, "bob": 9.5, "cy": 8}
    grades = list(book.grades(LAB))
    assert (grades[1].lost, grades[1].earned, grades[1].override) == (2, 8, override("bob", 9.5))
    assert NO_TIME in grades[2].submission.notes


def test_of_decisions_the_latest_counts_and_all_are_kept(book: Gradebook) -> None:
    ada = program("ada", late=HOUR)
    book.begin(LAB, class_of(ada), Rules(DUE, per_day=1.0))
    book.add("ada", result(ada, 5))
    book.extend(extension(hours=24, when=DUE))
    book.extend(extension(hours=0, when=DUE + DAY))
    assert points(book) == {"ada": 0}
    book.override(override(points=2, when=DUE + DAY))
    book.override(override(points=3, when=DUE))  # a share's, merged later
    assert points(book) == {"ada": 2}
    book.override(override(points=4, when=DUE + DAY))
    assert points(book) == {"ada": 4}
    assert len(list(book.decisions())) == 5


def test_points_by_hand_for_who_handed_in_nothing(book: Gradebook) -> None:
    book.begin(LAB, class_of(people=["ada"]), Rules())
    book.override(override(points=3))
    assert points(book) == {"ada": 3}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"student": "adda"}, "id 'adda'. Near: ada."),
        ({"student": "Ada Lovelace"}, "Near: ada."),
        ({"student": "zzz"}, "There are: ada, bob."),
        ({"lab": "4_app"}, "has no lab '4_app'. Near: 04_app."),
        ({"lab": "x"}, "There are: 04_app."),
        ({"points": float("nan")}, "from 0 on"),
        ({"points": -1}, "from 0 on"),
        ({"points": "5"}, "from 0 on"),
        ({"reason": " "}, "the reason is empty"),
        ({"when": datetime(2026, 1, 1)}, "has none"),
    ],
)
def test_a_decision_about_nobody_is_refused(book: Gradebook, change, words: str) -> None:
    book.begin(LAB, Found((Person("ada", "Ada Lovelace"), Person("bob")), ()), Rules())
    with pytest.raises(GradebookError, match=re.escape(words)):
        book.override(replace(override(), **change))
    assert list(book.decisions()) == []


def test_an_extension_for_nobody_is_refused(book: Gradebook) -> None:
    book.begin(LAB, class_of(people=["ada"]), Rules())
    with pytest.raises(GradebookError, match="Near: ada"):
        book.extend(extension("adda"))


@pytest.mark.parametrize("ask", ["rules", "grades"])
def test_a_lab_that_was_never_begun_is_named(book: Gradebook, ask: str) -> None:
    with pytest.raises(GradebookError, match="has no lab '05'"):
        list(getattr(book, ask)("05"))


def test_grades_are_read_one_at_a_time(book: Gradebook) -> None:
    big = "x" * 4000
    found = class_of(*(program(f"s{n}", notes=(big,)) for n in range(2000)))
    with book.store.transaction():
        for each in found.submissions:
            book.add(each.student, result(each, 1, 1, problem=big))
    book.begin(LAB, found, Rules())
    del found, each
    tracemalloc.start()
    try:
        assert sum(grade.points for grade in book.grades(LAB, *VERSION)) == 2000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * len(big), "of the 4000 such texts that are read"


# Processes

WRITER = """
import json, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from gradebooks import LAB, class_of, program, result
from socketlab.grading.gradebook import Gradebook, GradebookError
from socketlab.grading.policy import Rules

def add(book, number):
    each = program(f"s{number}")
    book.add(each.student, result(each, 3))
    print(each.student, flush=True)

with Gradebook(Path(sys.argv[1])) as book:
    book.begin(LAB, class_of(*(program(f"s{n}") for n in range(1000))), Rules())
    print("open", flush=True)
"""
WITHOUT_END = """
    for number in range(1000):
        add(book, number)
"""
FULL_DISK = """
    import resource
    how, more = json.loads(sys.argv[3])
    signal.signal(signal.SIGXFSZ, getattr(signal, how))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(5):
        add(book, number)
    size = Path(sys.argv[1] + "-wal").stat().st_size + more
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        for number in range(5, 1000):
            add(book, number)
    except GradebookError as error:
        print(error, flush=True)
"""
posix = pytest.mark.skipif(os.name != "posix", reason="a signal of POSIX")


def writer(path: Path, ending: str, *more: str) -> subprocess.Popen[str]:
    """A process that has a gradebook open for writing."""
    command = [sys.executable, "-c", WRITER + ending, str(path), str(Path(__file__).parent), *more]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, **pipes)
    assert process.stdout.readline() == "open\n"
    return process


def killed_after(path: Path, count: int) -> set[str]:
    """The learners whose results were added by a process that was killed after so many."""
    with writer(path, WITHOUT_END) as process:
        told = [process.stdout.readline().strip() for _ in range(count)]
        process.kill()
        told += process.stdout.read().split("\n")[:-1]  # a line without end was not yet said
    return set(told)


def in_it(path: Path) -> set[str]:
    """The learners with a result in a gradebook."""
    with Gradebook(path) as book:
        assert len(list(book.submissions(LAB))) == 1000
        return {student for student, _ in book.results()}


@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_killed_between_results_it_has_each_that_was_added(path: Path, count: int) -> None:
    told = killed_after(path, count)
    kept = in_it(path)
    assert told <= kept
    assert len(kept) <= len(told) + 1


@posix
@pytest.mark.parametrize("more", [1, 100, 4119, 4121, 9000])
def test_killed_in_the_middle_of_one_it_has_each_that_was_added(path: Path, more: int) -> None:
    """The file's log may grow by so many bytes: the system ends the process in that write."""
    with writer(path, FULL_DISK, json.dumps(["SIG_DFL", more])) as process:
        told = set(process.stdout.read().split())
    assert process.returncode == -signal.SIGXFSZ
    kept = in_it(path)
    assert told <= kept
    assert len(kept) <= len(told) + 1
    assert len(told) >= 5


@posix
def test_a_full_disk_is_told_and_loses_nothing(path: Path) -> None:
    with writer(path, FULL_DISK, json.dumps(["SIG_IGN", 20_000])) as process:
        *told, words = process.stdout.read().splitlines()
    assert process.returncode == 0
    assert "Is there space" in words
    assert set(told) <= in_it(path)


def test_a_second_writer_is_refused_and_readers_are_not(path: Path) -> None:
    with writer(path, "    input()") as process:
        try:
            with pytest.raises(GradebookError, match=rf"by process {process.pid} on .*Ctrl-C"):
                Gradebook(path).__enter__()
            with Gradebook(path, read_only=True) as reader:
                assert reader.labs() == (LAB,)
        finally:
            process.kill()
    with Gradebook(path) as book:
        assert book.labs() == (LAB,)


def test_a_reader_sees_what_is_added_meanwhile(path: Path, book: Gradebook) -> None:
    ada = program("ada")
    book.begin(LAB, class_of(ada), Rules())
    with Gradebook(path, read_only=True) as reader:
        assert points(reader) == {"ada": 0}
        book.add("ada", result(ada, 4))
        assert points(reader) == {"ada": 4}


def test_a_writer_in_the_same_process_is_refused_too(path: Path, book: Gradebook) -> None:
    for _ in range(2):
        with pytest.raises(GradebookError, match=f"process {os.getpid()}"):
            Gradebook(path).__enter__()
    book.begin(LAB, class_of(), Rules())


def test_who_wrote_is_forgotten_when_it_is_closed(path: Path) -> None:
    with Gradebook(path):
        pass
    with Gradebook(path) as book:
        assert len(list(book.store.rows("SELECT * FROM writer"))) == 1
    with Gradebook(path, read_only=True) as book:
        assert list(book.store.rows("SELECT * FROM writer")) == []


def test_a_reader_changes_nothing(path: Path) -> None:
    with Gradebook(path) as book:
        book.begin(LAB, class_of(program("ada")), Rules())
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    with Gradebook(path, read_only=True) as book:
        with pytest.raises(GradebookError, match="reading only"):
            book.add("ada", result(program("ada")))
        with pytest.raises(GradebookError, match="reading only"):
            book.begin(LAB, class_of(), Rules())
        with pytest.raises(GradebookError, match="cannot be used"):
            book.store.write("DELETE FROM people")
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


def test_a_begin_that_fails_changes_nothing(book: Gradebook) -> None:
    book.begin(LAB, class_of(program("ada")), Rules())
    odd = Submission(student="bob", source=5, name="bob.py")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        book.begin(LAB, class_of(odd), Rules())
    assert [each.student for each in book.submissions(LAB)] == ["ada"]
    book.begin(LAB, class_of(program("bob")), Rules())


def test_it_is_used_in_with(path: Path) -> None:
    book = Gradebook(path)
    with pytest.raises(GradebookError, match="is not open"):
        book.labs()
    with book:
        book.begin(LAB, class_of(program("ada")), Rules())
        grades = book.grades(LAB)
    with pytest.raises(GradebookError, match="is not open"):
        next(grades)


# Files that are no gradebook


def left_alone(path: Path, words: str) -> None:
    """Neither a reader nor a writer opens the file; both say why; it stays as it is."""
    before = path.read_bytes()
    for read_only in (True, False):
        with pytest.raises(GradebookError, match=words):
            Gradebook(path, read_only=read_only).__enter__()
        assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"grades\n", b"\0" * 4096, b"SQLite format 3\0"])
def test_a_file_that_is_no_gradebook_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    left_alone(path, "is no gradebook. Move it away")


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE results (a)")
    left_alone(path, "is no gradebook")


def test_a_newer_gradebook_is_left_alone(path: Path, complete: bytes) -> None:
    path.write_bytes(complete)
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 2")
    left_alone(path, "its format is 2, this one reads 1.*--upgrade")


@pytest.fixture
def complete(tmp_path: Path) -> bytes:
    """The bytes of a gradebook with a class in it."""
    path = tmp_path / "complete.sqlite"
    with Gradebook(path) as book:
        found = class_of(*(program(f"s{n}") for n in range(200)))
        book.begin(LAB, found, Rules())
        for each in found.submissions[:5]:
            book.add(each.student, result(each))
    return path.read_bytes()


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_gradebook_that_is_cut_short_is_left_alone(path: Path, complete, part: float) -> None:
    path.write_bytes(complete[: int(len(complete) * part)])
    left_alone(path, "is damaged.*Put a copy")


def test_a_gradebook_that_was_overwritten_is_left_alone(path: Path, complete: bytes) -> None:
    path.write_bytes(complete[:5000] + b"\xa5" * 40_000 + complete[45_000:])
    left_alone(path, "is damaged.*Put a copy")


def test_a_value_that_was_changed_is_told(path: Path, complete: bytes) -> None:
    path.write_bytes(complete)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE results SET body = x'7b7d'")
    with Gradebook(path) as book, pytest.raises(GradebookError, match="damaged: no Result"):
        list(book.grades(LAB))


def test_a_gradebook_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(GradebookError, match="There is no gradebook"):
        Gradebook(path, read_only=True).__enter__()
    with pytest.raises(GradebookError, match="may you write there"):
        Gradebook(path / "no" / "folder").__enter__()
    assert list(path.parent.iterdir()) == []


def test_a_folder_in_its_place_is_told(path: Path) -> None:
    path.mkdir()
    with pytest.raises(GradebookError, match="There is no gradebook"):
        Gradebook(path).__enter__()


def test_a_creation_that_was_cut_short_is_no_hindrance(path: Path) -> None:
    path.with_name(path.name + ".new").write_bytes(b"half")
    with Gradebook(path) as book:
        assert book.labs() == ()
    assert {each.name for each in path.parent.iterdir()} == {path.name, path.name + ".lock"}


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_folder_that_only_others_may_write_can_be_read(path: Path, complete: bytes) -> None:
    path.write_bytes(complete)
    for name in ("-wal", "-shm"):
        (path.parent / (path.name + name)).mkdir()  # root may write everywhere: this it cannot
    with Gradebook(path, read_only=True) as book:
        assert book.labs() == (LAB,)


def test_an_odd_path_is_a_path(tmp_path: Path, complete: bytes) -> None:
    path = tmp_path / "50% of ada's? #1 ü.sqlite"
    path.write_bytes(complete)
    with Gradebook(path) as book:
        assert book.labs() == (LAB,)


def test_a_copy_is_a_gradebook(path: Path, complete: bytes, tmp_path: Path) -> None:
    path.write_bytes(complete)
    shutil.copy(path, tmp_path / "copy.sqlite")
    assert everything_in(tmp_path / "copy.sqlite") == everything_in(path)
