"""The instructor's commands as an instructor gives them: real processes, exit codes, sentences."""

import csv
import json
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from instructor import (
    LAB,
    beginners,
    begun,
    pages,
    results,
    roster,
    small_class,
    socketlab,
    wait_graded,
)

from socketlab.cli import main
from socketlab.grading.gradebook import Gradebook

posix = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signals on Windows")
COUNT = 6  # beginners


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("class")


@pytest.fixture(scope="module")
def first(place):
    """The small class, graded once into `place / "out"`: how that command ended."""
    words = ("--roster", roster(place), "--out", place / "out")
    return socketlab("grade", "2", small_class(place / "in"), *words)


def rows(out):
    """The class as a table: {id: row}."""
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_everybody_gets_what_they_deserve(place, first):
    table = rows(place / "out")
    found = {student: (row["points"], row["state"]) for student, row in table.items()}
    full = table["ada"]["out_of"]
    assert found["ada"] == (full, "graded")
    assert 0 < float(found["ben"][0]) < float(full)
    assert found["cyd"] == ("0", "graded")
    assert found["dee"] == ("", "refused")
    assert found["eve"] == ("", "not handed in")
    assert "dee/one.py" in table["dee"]["refused"]
    assert table["ben"]["likely_mistake"]


def test_what_is_said_meanwhile(first):
    assert first.stdout == ""
    sandbox, count, done = first.stderr.splitlines()
    assert sandbox.startswith("Sandbox: ")
    assert count == "Submissions: 3; people: 5; refused: 1; not handed in: 1."
    assert done.startswith("3 graded. Open ")


def test_everybody_has_a_page(place, first):
    feedback = {path.parent.name for path in (place / "out").glob("students/*/feedback.html")}
    assert feedback == {"ada", "ben", "cyd", "dee", "eve"}
    assert "Eve" in (place / "out" / "index.html").read_text("utf-8")
    result = json.loads((place / "out" / "students" / "ben" / "result.json").read_text("utf-8"))
    assert result["lab"] == LAB


def test_what_is_graded_is_not_graded_again(place, first):
    before, made = results(place / "out"), pages(place / "out")
    words = ("--roster", roster(place), "--out", place / "out")
    again = socketlab("grade", "2", place / "in", *words)
    assert "0 graded, 3 had been graded before." in again.stderr
    assert results(place / "out") == before
    assert pages(place / "out") == made


def test_the_gradebook_is_shown(place, first):
    shown = socketlab("gradebook", "2", "--out", place / "out")
    assert [line.split()[0] for line in shown.stdout.splitlines()[3:8]] == [
        "ada",
        "ben",
        "cyd",
        "dee",
        "eve",
    ]
    assert shown.stderr == ""


@pytest.fixture
def copy(place, first, tmp_path):
    """A copy of the graded class, to change."""
    out = tmp_path / "copy"
    out.mkdir()
    with sqlite3.connect(place / "out" / "gradebook.sqlite") as there:
        there.execute("VACUUM INTO ?", (str(out / "gradebook.sqlite"),))
    return out


def test_decisions_count_and_survive_a_regrade(copy):
    out = ("--out", copy)
    socketlab("override", "2", "ben", "5", "--reason", "agreed in class", *out)
    socketlab("override", "2", "eve", "1.5", "--reason", "shown on paper", *out)
    socketlab("extend", "2", "cyd", "48", "--reason", "was ill", *out)
    again = socketlab("regrade", "2", *out)
    assert "0 graded, 3 had been graded before." in again.stderr
    found = rows(copy)
    assert (found["ben"]["points"], found["ben"]["by_hand"]) == ("5", "agreed in class")
    assert found["eve"]["points"] == "1.5"
    page = (copy / "students" / "ben" / "feedback.html").read_text("utf-8")
    assert "agreed in class" in page
    with Gradebook(copy / "gradebook.sqlite", read_only=True) as book:
        kept = [(decision.student, decision.reason) for _, decision in book.decisions()]
    assert kept == [("ben", "agreed in class"), ("eve", "shown on paper"), ("cyd", "was ill")]


def test_shares_put_together_are_the_class(place, first, tmp_path):
    words = ("grade", "2", place / "in", "--roster", roster(place))
    shares = [tmp_path / "one", tmp_path / "two"]
    for number, share in enumerate(shares, 1):
        socketlab(*words, "--shard", f"{number}/2", "--out", share)
    counts = [len(results(share)) for share in shares]
    assert sum(counts) == 3
    done = socketlab("merge", *shares, "--out", tmp_path / "whole")
    assert done.stderr.startswith("3 results taken, 0 were there.")
    assert results(tmp_path / "whole") == results(place / "out")
    assert pages(tmp_path / "whole") == pages(place / "out")


def test_shares_that_disagree_are_told_with_3(copy, place, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with sqlite3.connect(copy / "gradebook.sqlite") as there:
        there.execute("VACUUM INTO ?", (str(other / "gradebook.sqlite"),))
    change = "replace(CAST(body AS TEXT), '\"seed\":1', '\"seed\":2')"
    with sqlite3.connect(other / "gradebook.sqlite") as book:
        book.execute(f"UPDATE results SET body = CAST({change} AS BLOB)")
    done = socketlab("merge", copy, other, "--out", tmp_path / "whole", code=3)
    assert done.stderr.count("Two shares disagree about") == 3
    assert results(tmp_path / "whole") == results(place / "out")


# Stopped, and gone on


@pytest.fixture(scope="module")
def undisturbed(place):
    """A class of beginners, and what comes of it when nothing happens."""
    folder = beginners(place / "beginners", COUNT)
    socketlab("grade", "2", folder, "--out", place / "whole")
    assert len(results(place / "whole")) == COUNT
    return folder, results(place / "whole"), pages(place / "whole")


@posix
@pytest.mark.parametrize("count", [0, 3])
def test_killed_in_mid_batch_it_goes_on(undisturbed, tmp_path, monkeypatch, count):
    folder, wanted, made = undisturbed
    words = ("grade", "2", folder, "--out", tmp_path / "out")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    with begun(*words) as process:
        wait_graded(tmp_path / "out", count, process)
        process.kill()
    kept = len(results(tmp_path / "out"))
    assert kept >= count
    again = socketlab(*words)
    assert f"{COUNT - kept} graded" in again.stderr
    assert list((tmp_path / "temporary").glob("*/program/*")) == []
    assert results(tmp_path / "out") == wanted
    assert pages(tmp_path / "out") == made


@posix
def test_ctrl_c_keeps_what_is_graded_and_says_so(undisturbed, tmp_path):
    folder, wanted, _ = undisturbed
    words = ("grade", "2", folder, "--workers", "1", "--out", tmp_path / "out")
    with begun(*words) as process:
        wait_graded(tmp_path / "out", 1, process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped. What is graded is kept: the same command goes on from there." in said
    assert "Traceback" not in said
    assert 1 <= len(results(tmp_path / "out")) < COUNT
    socketlab(*words)
    assert results(tmp_path / "out") == wanted


@posix
def test_a_second_grader_is_refused(undisturbed, tmp_path):
    folder, *_ = undisturbed
    words = ("grade", "2", folder, "--out", tmp_path / "out")
    with begun(*words) as process:
        wait_graded(tmp_path / "out", 1, process)
        process.send_signal(signal.SIGSTOP)  # so that it is not done meanwhile
        refused = socketlab(*words, code=2)
    assert f"is being written by process {process.pid}" in refused.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="its folders have other names")
def test_an_environment_in_the_temporary_folder_will_do(tmp_path):
    venv.create(tmp_path / "env", symlinks=True)
    installed = sysconfig.get_path("purelib", "venv", {"base": str(tmp_path / "env")})
    Path(installed, "all.pth").write_text("\n".join(filter(None, sys.path)))
    command = [tmp_path / "env" / "bin" / "python", "-m", "socketlab.cli", "grade", "2"]
    command += [beginners(tmp_path / "in", 1), "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done
    assert results(tmp_path / "out")[0][1].status == "graded"


# A grader that fails


def test_where_the_grader_fails_nobody_has_points_and_3_says_so(tmp_path, monkeypatch, capsys):
    def fails(source, lab, **how):
        raise MemoryError("no more")

    words = ["2", "--out", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        patch.setattr("socketlab.grading.running.grade_one", fails)
        assert main(["grade", *words, str(beginners(tmp_path / "in", 1))]) == 3
    assert "For 1 the grader itself failed" in capsys.readouterr().err
    row = rows(tmp_path / "out")["s00"]
    assert (row["state"], row["points"]) == ("checks broke", "")
    again = socketlab("regrade", *words)
    assert "1 graded." in again.stderr
    assert rows(tmp_path / "out")["s00"]["points"] == "0"


# What goes wrong is a sentence


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("grade 99 {there} --out {new}", "99"),
        ("grade 2 {nowhere} --out {new}", "{nowhere}"),
        ("grade 2 {empty} --out {new}", "{empty}"),
        ("grade 2 {there} --out {new} --shard 5/3", "'5/3' is no share"),
        ("grade 2 {there} --out {new} --due soon", "'soon'"),
        ("grade 2 {there} --out {new} --workers 0", "'0' is no whole number from 1 to 1000"),
        ("grade 2 {there} --out {new} --per-day 101", "'101' is no percentage"),
        ("grade 2 {there} --out {new} --deadline 0", "nothing can be graded in 0 seconds"),
        ("grade 2 {there} --out {new} --roster {nowhere}", "{nowhere}"),
        ("grade 2 {there} --out {file}/new", "{file}"),
        ("grade 2 {there} --out {new} --cluster nobody", "No cluster answers at 'nobody'"),
        ("regrade 2 --out {empty}", "There is no gradebook in {empty}"),
        ("gradebook 2 --out {empty}", "There is no gradebook in {empty}"),
        ("gradebook 3 --out {out}", "has no lab '03_threaded_server'"),
        ("override 2 adda 3 --reason r --out {out}", "Near: ada"),
        ("override 2 ada -1 --reason r --out {out}", "from 0 on, not -1"),
        ("override 2 ada 3 --reason= --out {out}", "the reason is empty"),
        ("extend 2 zoe 3 --reason r --out {out}", "has the id 'zoe'"),
        ("merge {empty} --out {new}", "There is no gradebook {empty}"),
        ("merge {out} --out {out}", "is the gradebook to merge into"),
        ("handout {there}", "{there}"),
    ],
)
def test_what_goes_wrong_is_a_sentence(place, first, tmp_path, words, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    names = {name: tmp_path / name for name in ("empty", "file", "nowhere", "new")}
    names |= {"there": place / "in", "out": place / "out"}
    before = results(place / "out")
    done = socketlab(*(word.format(**names) for word in words.split()), code=2)
    assert said.format(**names) in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert results(place / "out") == before
    assert results(tmp_path / "new") == []
