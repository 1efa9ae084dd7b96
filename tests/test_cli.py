"""The command `socketlab`: the same verdicts as in a notebook, exit codes, colours."""

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from programs import write

from socketlab import cli
from socketlab.harness.report import MARKS
from socketlab.harness.runner import ChecksError
from socketlab.harness.verdicts import Verdict
from socketlab.learner import Result, check

ROOT = Path(__file__).parents[1]
SOLUTION = ROOT / "solutions" / "01_echo_server.py"
GOOD, BAD = Verdict("a", "it works", "pass"), Verdict("b", "it ends", "fail", happened="No.")


def socketlab(*words, **environment):
    """A run of the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "socketlab.cli", *map(str, words)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
    )


@pytest.fixture
def result(monkeypatch):
    """What check() will return, or raise if it is an exception."""
    box = SimpleNamespace(value=Result("Lab 01", (GOOD, BAD)), asked=None)

    def fake(*asked, **more):
        box.asked, box.more = asked, more
        if isinstance(box.value, BaseException):
            raise box.value
        return box.value

    monkeypatch.setattr(cli, "check", fake)
    return box


def test_a_terminal_and_a_notebook_show_the_same():
    ran = socketlab("check", "1", "--program", SOLUTION, PYTHONIOENCODING="utf-8")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == repr(check("01", program=SOLUTION)) + "\n"


class Screen(io.StringIO):
    """A terminal that keeps what was written to it."""

    def isatty(self):
        return True


def test_a_terminal_counts_the_checks_and_takes_the_count_away(result, monkeypatch, capsys):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    cli.main(["check", "1"])
    with cli._counted(screen) as tell:
        tell(GOOD)
        tell(BAD)
    assert "\r1 check done ... \r2 checks done ... " in screen.getvalue()
    assert screen.getvalue().endswith("\r\33[K")


@pytest.mark.skipif(os.name != "posix", reason="a pipe that nobody reads any more")
def test_a_reader_of_the_report_that_leaves_is_no_error(tmp_path):
    words = [sys.executable, "-m", "socketlab.cli", "list"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ran:
        ran.stdout.close()
        assert ran.wait(60) == 1
        assert ran.stderr.read() == b""


def test_the_starter_fails():
    ran = socketlab("check", "01", PYTHONIOENCODING="utf-8")
    assert ran.returncode == 1
    assert "is still to be written: TODO" in ran.stdout


def test_an_unknown_lab_and_wrong_words_are_wrong_usage():
    ran = socketlab("check", "99")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("socketlab: There is no lab '99'. The labs are: 01_echo_server")
    assert socketlab().returncode == socketlab("chekc", "1").returncode == 2


def test_output_that_cannot_show_the_marks_gets_plain_ones(tmp_path):
    ran = socketlab("check", 1, "--program", write(tmp_path, ""), PYTHONIOENCODING="ascii")
    assert "\n  x it starts" in ran.stdout


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (Result("Lab", (GOOD,)), 0),
        (Result("Lab", (GOOD, BAD)), 1),
        (Result("Lab", ()), 1),
        (ChecksError("they broke"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(result, value, code):
    result.value = value
    assert cli.main(["check", "1"]) == code


def test_words_become_arguments(result, capsys):
    cli.main(["check", "02", "--program", "mine.py"])
    assert (result.asked, result.more.pop("seed"), [*result.more]) == (
        ("02", "mine.py"),
        1,
        ["tell"],
    )
    cli.main(["check", "02", "--seed", "7", "--program", "mine.py"])
    assert (result.more.pop("seed"), [*result.more]) == (7, ["tell"])
    result.value = Result("Lab", (GOOD, BAD, BAD))
    cli.main(["check", "2"])
    assert "1 more failure: --all explains" in capsys.readouterr().out
    cli.main(["check", "2", "--all"])
    assert capsys.readouterr().out.count("No.") == 2


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("environment", "stream", "coloured"),
    [
        ({}, Terminal(), True),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"TERM": "dumb"}, Terminal(), False),
        ({}, io.TextIOWrapper(io.BytesIO(), "utf-8"), False),
    ],
)
def test_colours_only_where_they_are_welcome(result, monkeypatch, environment, stream, coloured):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"WT_SESSION": "1", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", stream)
    cli.main(["check", "1"])
    stream.flush()
    stream.seek(0)
    text = stream.read()
    assert ("\33[" in text) == coloured
    assert (f"\33[32m  {MARKS['pass']} it works\33[0m" in text) == coloured


def test_a_folder_that_cannot_be_is_one_line(tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    assert cli.main(["figures", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"socketlab: cannot draw into {file}: ")
    assert said.count("\n") == 1


def test_figures_are_drawn_into_the_folder(monkeypatch, tmp_path, capsys):
    module = SimpleNamespace(draw_all=lambda folder: [folder / "a.png", folder / "b.png"])
    monkeypatch.setitem(sys.modules, "socketlab.figures.diagrams", module)
    assert cli.main(["figures", str(tmp_path)]) == cli.main(["figures"]) == 0
    folders = [tmp_path, tmp_path, Path("imgs"), Path("imgs")]
    assert [Path(line).parent for line in capsys.readouterr().out.split()] == folders
