"""One submission graded: right programs and starters, odd bytes, no time, broken checks."""

import ast
import json
import pickle
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import pytest
from probing import HERE, graded, linux, make_lab, tier

from socketlab.grading import grade
from socketlab.grading.grade import GRADER, checks_digest, checks_of, grade_one
from socketlab.grading.result import Result, does_not_apply
from socketlab.grading.sandbox import find_sandbox
from socketlab.harness.box import Box
from socketlab.harness.runner import run_checks
from socketlab.harness.schedule import GATED, UNTRIED
from socketlab.harness.verdicts import Verdict
from socketlab.learner import Lab, check, find_lab

ROOT = Path(__file__).parents[1]
BEST = find_sandbox()
NAMES = [path.stem for path in sorted((ROOT / "labs").glob("0*.py"))]
RIGHT = ["01_slow_and_chatty", "02_class", "03_a_pool", "04_asyncio_streams", "05_select"]
RIGHT = [ROOT / "solutions" / "correct" / f"{name}.py" for name in RIGHT]
RIGHT += [ROOT / "solutions" / "06_message_server.py"]
MUTANT = ROOT / "solutions" / "mutants" / "02_one_recv.py"


def lab_of(path: Path) -> Lab:
    return find_lab(path.stem[:2])[0]


@pytest.fixture(scope="module")
def graded_programs():
    """The results of programs, several at a time: each is a Future."""
    with ThreadPoolExecutor(2) as pool:

        @cache
        def begin(path: Path, tier: str = BEST.tier) -> Future[Result]:
            source, lab = path.read_bytes(), lab_of(path)
            return pool.submit(grade_one, source, lab, sandbox=HERE[tier])

        for path in RIGHT:  # they are needed, in this order
            begin(path)
        yield lambda *which: begin(*which).result()


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_right_programs_score_full(graded_programs, path):
    result = graded_programs(path)
    assert [v for v in result.verdicts if v.outcome != "pass" and not does_not_apply(v)] == []
    assert (result.status, result.points) == ("graded", result.out_of)
    assert (result.diagnosis, result.hints, result.problem) == ("", (), "")


def test_two_threads_never_parse_at_once(monkeypatch):
    parse, alone = ast.parse, []

    def watched(source: bytes) -> ast.Module:
        alone.append(grade._PARSING.locked())
        return parse(source)

    grade._named_in.cache_clear()
    monkeypatch.setattr(grade.ast, "parse", watched)
    assert checks_of(lab_of(MUTANT))
    assert alone == [True, True]


@linux
@pytest.mark.parametrize("tier", [tier("B"), tier("C")])
def test_every_sandbox_gives_the_same_result(graded_programs, tier):
    best, other = graded_programs(MUTANT), graded_programs(MUTANT, tier)
    assert replace(best, seconds=0, sandbox="") == replace(other, seconds=0, sandbox="")
    assert other.sandbox == HERE[tier].title


def test_a_mistake_is_diagnosed_with_its_hints(graded_programs):
    result = graded_programs(MUTANT)
    assert 0 < result.points < result.out_of
    assert result.diagnosis
    assert result.cause
    assert result.read
    assert result.hints
    assert set(result.hidden) == {each.name for each in checks_of(lab_of(MUTANT)) if each.hidden}


@pytest.mark.parametrize("name", ["02_framing", "04_multi_connection_server"])
def test_a_starter_scores_what_the_learners_own_check_says(graded_programs, name, tmp_path):
    program = ROOT / "labs" / f"{name}.py"
    result = graded_programs(program)
    copy = tmp_path / program.name
    copy.write_bytes(program.read_bytes())
    public = [verdict for verdict in result.verdicts if verdict.name not in result.hidden]
    learners = check(name, copy)
    assert public == [_without(verdict, f"{tmp_path}/") for verdict in learners.verdicts]
    assert result.diagnosis == (learners.diagnosis.name if learners.diagnosis else "")


def _without(verdict: Verdict, place: str) -> Verdict:
    texts = {name: getattr(verdict, name).replace(place, "") for name in ("happened", "program")}
    return replace(verdict, **texts)


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_checks_is_what_is_run(name, tmp_path):
    """The verdicts of the checks themselves: on a file that is not there, none has to be tried."""
    lab = Lab(ROOT, name)
    found = run_checks(tmp_path / "none.py", [lab.checks, lab.hidden_checks], lab.reading)
    assert [(v.name, v.title) for v in found] == [(c.name, c.title) for c in checks_of(lab)]


# Programs of every kind get a verdict for each check


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\0",
        b"\xff\xfe",
        b"def f(:\n",
        b"# caf\xe9\n",
        b"raise SystemExit(0)\n",
        b"\n" * 10**6,
    ],
    ids=["empty", "nul", "rubbish", "syntax", "latin-1", "exits", "long"],
)
def test_odd_bytes_are_graded(source):
    lab = lab_of(MUTANT)
    result = grade_one(source, lab, sandbox=HERE["C"])
    assert (result.status, result.points) == ("graded", 0)
    assert [verdict.name for verdict in result.verdicts] == [c.name for c in checks_of(lab)]
    assert result.out_of == len(result.verdicts)


def test_a_bom_and_other_ends_of_lines_do_no_harm():
    source = "\ufeff" + RIGHT[1].read_text(encoding="utf-8").replace("\n", "\r\n")
    result = grade_one(source.encode(), lab_of(RIGHT[1]), sandbox=HERE["C"])
    assert result.points == result.out_of > 0


def test_nothing_tells_where_it_was_graded():
    source = b"import os\nraise ValueError(os.path.dirname(__file__) + __file__ + os.getcwd())\n"
    result = grade_one(source, lab_of(MUTANT), sandbox=BEST)
    text = json.dumps(asdict(result))
    assert "ValueError" in text
    assert "socketlab-" not in text
    assert str(ROOT) not in text


# No time, and checks that break

SLOW = '''
import time
from socketlab.harness import lab_check

@lab_check()
def test_quick(start):
    """it is quick"""

@lab_check()
def test_slow(start):
    """it is slow"""
    start("go").wait_ended(1000)
'''


@pytest.fixture(scope="module")
def too_slow(tmp_path_factory):
    """By sandbox, the result of a run that takes too long: they wait side by side."""
    lab = make_lab(tmp_path_factory.mktemp("slow"), checks=SLOW)
    source = "import time\ntime.sleep(1000)\n"
    with ThreadPoolExecutor(len(HERE)) as pool:
        runs = {tier: pool.submit(graded, lab, source, tier, deadline=20.0) for tier in HERE}
        yield lambda tier: runs[tier].result()


@pytest.mark.parametrize("tier", [tier("A"), tier("B"), tier("C")])
def test_a_run_that_takes_too_long_keeps_what_it_has(too_slow, tier):
    result = too_slow(tier)
    assert (result.status, result.points, result.out_of) == ("timeout", 1, 3)
    assert [verdict.outcome for verdict in result.verdicts] == ["pass", "skip", "skip"]
    assert "stopped after 20 seconds" in result.problem


BROKEN = '''
import os
from socketlab.harness import lab_check

@lab_check()
def test_breaks(start):
    """the check breaks"""
    {how}
'''


@pytest.mark.parametrize(
    ("how", "problem"),
    [("1 / 0", "ZeroDivisionError"), ("os._exit(1)", "final record"), ("(", "SyntaxError")],
)
def test_checks_that_break_are_nobodys_fault(tmp_path, how, problem, monkeypatch):
    monkeypatch.setattr("socketlab.grading.grade._checks_in", lambda file: [("test_breaks", "it")])
    lab = make_lab(tmp_path, checks=BROKEN.format(how=how))
    lab.hidden_checks.unlink()
    result = graded(lab, "", BEST.tier)
    assert (result.status, result.points) == ("broken", 0)
    assert problem in result.problem


def test_a_sandbox_that_breaks_is_nobodys_fault(tmp_path, monkeypatch):
    words = ("/nowhere/python",)
    monkeypatch.setattr(Box, "command", lambda self, *_: words)
    box = Box("python", ("/bin/false",), (), ())
    monkeypatch.setattr("socketlab.grading.confined.Box", lambda *_: box)
    monkeypatch.undo()
    monkeypatch.setattr("socketlab.grading.confined.Box", lambda *_: box)
    result = graded(make_lab(tmp_path), "", "C")
    assert result.status == "broken"
    assert "The sandbox of the program did not work" in result.problem


# Values


def test_the_digest_is_of_all_that_judges(tmp_path):
    lab = make_lab(tmp_path)
    digests = {checks_digest(lab)}
    for file in (lab.checks, lab.hidden_checks, lab.guide, lab.reading):
        file.write_text("# changed\n")
        digests.add(checks_digest(lab))
    lab.program.write_text("# changed")
    assert len(digests | {checks_digest(lab)}) == 5
    assert GRADER.startswith("socketlab ")


def test_what_goes_to_a_worker_can_be_pickled():
    sent = (b"", lab_of(MUTANT), BEST)
    assert pickle.loads(pickle.dumps(sent)) == sent


@pytest.mark.parametrize(
    ("happened", "counts"), [(GATED, True), (UNTRIED, True), ("no IPv6 here", False)]
)
def test_a_check_that_was_not_tried_counts(happened, counts):
    assert does_not_apply(Verdict("n", "t", "skip", happened=happened)) is not counts
