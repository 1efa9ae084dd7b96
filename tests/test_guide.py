"""Diagnoses, hints and progress: what fits, what is not guessed, and what is never lost."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import write

from socketlab import learner
from socketlab.harness.guide import GuideError, read_guide, signature
from socketlab.harness.verdicts import Verdict
from socketlab.learner import check, hint, progress
from socketlab.progress_file import LabProgress, Progress

ROOT = Path(__file__).parents[1]

TABLE = """
[[diagnosis]]
name = "stops"
cause = "It returns."
check = ["test_a", "test_b"]
signs = ["exit 0"]

[[diagnosis]]
name = "tells zeros"
cause = "A buffer."
got = "x00"
fails = ["test_c"]
passes = "test_d"

[hints]
test_a = ["think", "look", "type"]
stops = ["why does it stop?", "a loop"]
"""


def failure(name, *signs, **parts):
    return Verdict(name, "title", "fail", signs=signs, **parts)


@pytest.fixture
def guide(tmp_path):
    return read_guide(write(tmp_path, TABLE, "guide.toml"))


@pytest.mark.parametrize(
    ("verdicts", "name"),
    [
        ([failure("test_a", "early end", "exit 0")], "stops"),
        ([Verdict("test_a", "", "pass"), failure("test_b", "exit 0")], "stops"),
        ([failure("test_a", "exit 1")], None),
        ([failure("test_c", "exit 0")], None),
        ([failure("test_x"), failure("test_a", "exit 0")], None),
        ([failure("test_c", got=r"b'\x00'"), Verdict("test_d", "", "pass")], "tells zeros"),
        ([failure("test_c", got=r"b'\x00'"), Verdict("test_d", "", "skip")], None),
        ([failure("test_e", got=r"b'\x00'"), Verdict("test_d", "", "pass")], None),
        ([Verdict("test_a", "", "error", signs=("exit 0",))], None),
        ([Verdict("test_a", "", "pass")], None),
        ([], None),
    ],
)
def test_the_first_row_that_fits_is_the_diagnosis_and_nothing_is_guessed(guide, verdicts, name):
    found = guide.diagnose(verdicts)
    assert (found.name if found else None) == name


def test_a_mistakes_own_hints_go_before_the_checks(guide):
    assert guide.hints_for("test_a", "stops") == ("why does it stop?", "a loop")
    assert guide.hints_for("test_a", "other") == ("think", "look", "type")
    assert guide.hints_for("test_x") == ()


def test_a_signature_is_the_same_for_the_same_mistake(guide):
    one, two = failure("test_a", "exit 0", "at recv"), failure("test_a", "exit 0", "at send")
    assert len({signature([each], guide.diagnose([each])) for each in (one, two)}) == 1
    assert len({signature([each], None) for each in (one, two)}) == 2
    assert signature([Verdict("test_a", "", "pass")], None) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[diagnosis]\n", "guide.toml: "),
        ("[hint]\n", "no such table: hint"),
        ("[[diagnosis]]\nname = 'n'\n", "needs a name and a cause"),
        ("[[diagnosis]]\nname = 'n'\ncause = 'c'\nsign = []\n", "'n' has no key sign"),
        ("[[diagnosis]]\nname = 'n'\ncause = 'c'\ngot = '('\n", "'n': got = '(' is no pattern"),
        ("[[diagnosis]]\nname = 'n'\ncause = 'c'\nsigns = 3\n", "'n': signs is a list of words"),
        ("[hints]\nx = 'one'\n", "the hints for x are a list of sentences"),
    ],
)
def test_a_guide_that_cannot_be_read_says_where(tmp_path, text, words):
    with pytest.raises(GuideError) as error:
        read_guide(write(tmp_path, text, "guide.toml"))
    assert words in str(error.value)


def test_a_lab_without_a_guide_has_an_empty_one(tmp_path):
    assert read_guide(tmp_path / "none.toml").diagnose([failure("test_a")]) is None


# Progress


@pytest.fixture
def file(tmp_path):
    return Progress(tmp_path / ".progress.json")


def test_progress_is_kept(file):
    lab = LabProgress(3, 5, False, "test_a", "stops", "test_a: stops")
    lab.failed("one")
    assert file.write("01_echo", lab)
    assert file.write("02_framing", LabProgress(9, 9, True))
    assert file.of("01_echo") == lab
    assert file.of("02_framing").done
    assert file.of("03_none") == LabProgress()
    assert [path.name for path in file.path.parent.iterdir()] == [".progress.json"]


def test_an_attempt_is_a_file_that_was_not_tried_before(file):
    lab = LabProgress(signature="s")
    for digest in ("one", "one", "two", "one"):
        lab.failed(digest)
    assert lab.attempts == 2
    lab.signature = "another"
    assert lab.attempts == 0
    lab.signature = "s"
    assert lab.attempts == 2


BROKEN = ["", "{", "{}", "[]", "null", '{"labs": 1}', '{"labs": {"x": 1}}', "\udcff"]
BROKEN += [f'{{"labs": {{"x": {lab}}}}}' for lab in ('{"done": 1}', '{"tries": {"s": 3}}')]
BROKEN += ['{"labs": {"x": {"tries": {"s": [3]}}}}']


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_is_broken_counts_as_nothing_and_is_put_aside(file, text):
    file.path.write_text(text, errors="surrogateescape")
    assert file.read() == {}
    assert file.write("01", LabProgress(1, 2))
    assert file.of("01").passed == 1
    aside = file.path.with_name(file.path.name + ".broken")
    assert aside.read_text(errors="surrogateescape") == text


KEYS = st.sampled_from([*asdict(LabProgress()), "labs", "x"])
PLAIN = st.none() | st.booleans() | st.integers() | st.text()
ANY = st.recursive(PLAIN, lambda each: st.lists(each) | st.dictionaries(KEYS, each), max_leaves=8)


@given(ANY)
def test_no_file_stops_it(tmp_path_factory, values):
    file = Progress(tmp_path_factory.mktemp("any") / "p.json")
    file.path.write_text(json.dumps(values))
    for lab in file.read().values():
        assert type(lab.attempts) is int


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_crash_in_the_middle_leaves_the_old_or_the_new(file):
    code = f"""
import os, signal
from pathlib import Path
from socketlab.progress_file import LabProgress, Progress
replace = os.replace
os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
Progress(Path({str(file.path)!r})).write("01", LabProgress(2, 2, True))
"""
    file.write("01", LabProgress(1, 2))
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode != 0
    assert file.of("01") == LabProgress(1, 2)


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    assert not Progress(tmp_path / "none" / "p.json").write("01", LabProgress())


# What a learner sees


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A learner's folder with lab 01 in it: the path of the program."""
    shutil.copytree(ROOT / "labs", tmp_path / "labs", ignore=shutil.ignore_patterns(".progress*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOCKETLAB_PROGRESS")
    return tmp_path / "labs" / "01_echo_server.py"


@pytest.fixture
def found(monkeypatch):
    """What the checks will find."""
    verdicts = [Verdict("test_one_message", "it echoes", "pass")]
    monkeypatch.setattr(learner, "stream_checks", lambda *_, **__: (each for each in verdicts))
    return verdicts


def test_hints_unlock_with_each_new_attempt_and_progress_is_told(project, found):
    assert str(hint("01")).startswith("Check your program first")
    assert "-           Lab 01, echo server" in str(progress())
    found.append(failure("test_next_client", "early end", "exit 0"))
    for number, said in ((1, "hint 1 of 3"), (2, "hint 2 of 3"), (2, "hint 2 of 3")):
        project.write_text("\n" * number)
        result = check("01")
        assert result.diagnosis.name == "serves one client, then stops"
        assert said in str(hint("01"))
    assert "Most likely, your program serves one client, then stops." in repr(result)
    assert "1. Where is your program" in repr(hint("01"))
    assert "3. " not in repr(hint("01"))
    bad = found.pop()
    assert check("01").passed
    assert "every check passes" in hint(1)
    assert progress().splitlines()[0].startswith("done  ")
    found.append(bad)
    check("01")
    assert progress().startswith("done  "), "done once is done"


def test_another_file_than_the_learners_own_is_not_kept(project, found, tmp_path):
    check("01", program=write(tmp_path, ""))
    assert str(hint("01")).startswith("Check your program first")


@pytest.mark.parametrize("seed", ["1", 1.0, None, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(TypeError, match="seed is a whole number, such as 1"):
        learner.check("01", seed=seed)
