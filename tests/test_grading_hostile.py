"""Hostile and odd submissions get the grade that they deserve, and leave nothing behind.

    python -m pytest tests/test_grading_hostile.py

Each tier that there is grades the whole bank; as root, an ordinary user grades it once more.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hostile_bank import ROOT, bank

from socketlab.grading.confined import open_to_all, python_for_others
from socketlab.grading.grade import checks_of
from socketlab.grading.sandbox import TITLES, sandboxes
from socketlab.grading.uids import UNUSED, am_root
from socketlab.harness.report import explanation
from socketlab.harness.verdicts import Verdict

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="the bank is for Linux"),
]
SCRIPT = Path(__file__).with_name("hostile_run.py")
LONGEST = 200_000  # characters of a result: what a learner's program says is cut
SUBMISSIONS = {each.name: each for each in bank()}
ORDINARY = {"user": UNUSED[-1], "group": UNUSED[-1], "extra_groups": []}
WHO = ["root", "ordinary user"] if am_root() else ["ordinary user"]
RUNS = [(tier, who) for tier in TITLES for who in WHO]


def env_for_others():
    """The environment in which another Python finds what is installed in this one."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}


@cache
def graded(tier, who):
    """What came of the whole bank: {name: record}; under "left" what was left behind, under
    "calls" who was called."""
    there = {each.tier: each.advice for each in sandboxes()}
    if tier not in there:
        pytest.skip(f"there is no sandbox {tier} here: {there['C']}")
    python, options = sys.executable, {}
    open_to_others = python_for_others() and open_to_all(SCRIPT)
    if am_root() and (who != "root" or tier != "A") and not open_to_others:
        pytest.skip("other users cannot read this Python, or not the course")
    if am_root() and who != "root":
        python, options = python_for_others(), ORDINARY
    how = {"cwd": "/", "env": env_for_others(), "stdout": subprocess.PIPE, "text": True}
    done = subprocess.run([python, "-B", str(SCRIPT), tier], **how, **options)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{len(records)} were graded"
    return {record.get("name") or next(iter(record)): record for record in records}


def of(run, name):
    """The record of one submission, or a skip."""
    tier, who = run
    if not SUBMISSIONS[name].runs_on(tier, own_uid=who == "root"):
        pytest.skip(f"{TITLES[tier]} does not promise this")
    return graded(*run)[name]


def verdicts(record):
    """The verdicts of a record, as values."""
    rows = record["result"]["verdicts"]
    lists = ("steps", "signs")
    return [Verdict(**row | {name: tuple(row[name]) for name in lists}) for row in rows]


every_run = pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run[0]} as {run[1]}")


@every_run
@pytest.mark.parametrize("name", SUBMISSIONS)
class TestSubmissions:
    def test_gets_what_it_deserves(self, run, name):
        record, submission = of(run, name), SUBMISSIONS[name]
        found = verdicts(record)
        names = [check.name for check in checks_of(submission.lab)]
        assert [verdict.name for verdict in found] == names
        passed = {verdict.name for verdict in found if verdict.outcome == "pass"}
        first = next((each for each in found if each.outcome in ("fail", "error")), None)
        told = explanation(first)[:3000] if first else ""
        assert passed == submission.passes(names), told
        assert first is None or first.name == submission.says.get("Caught by", first.name), told
        assert submission.says.get("Says", "") in told

    def test_breaks_no_check(self, run, name):
        result = of(run, name)["result"]
        assert (result["status"], result["problem"]) == ("graded", "")
        assert result["sandbox"] == TITLES[run[0]]
        assert [v["name"] for v in result["verdicts"] if v["outcome"] == "error"] == []

    def test_its_result_can_be_kept_and_read(self, run, name):
        text = json.dumps(of(run, name)["result"], ensure_ascii=False)
        assert len(text) < LONGEST
        assert text.encode("utf-8").decode("utf-8") == text


@every_run
def test_nothing_is_left_behind(run):
    left = graded(*run)["left"]["left"]
    assert left["processes"] == []
    assert left["mounts"] == []
    assert left["files"] == []


@every_run
def test_nobody_calls_out(run):
    if run[0] != "A":
        pytest.skip(f"{TITLES[run[0]]} does not promise this")
    assert graded(*run)["calls"]["calls"] == []


@pytest.mark.skipif(not am_root(), reason="make test has seen to it")
def test_an_ordinary_users_sandboxes_keep_their_promises():
    if not (python_for_others() and open_to_all(SCRIPT)):
        pytest.skip("other users cannot read this Python, or not the course")
    tests = Path(__file__).with_name("test_grading_sandbox.py")
    words = ["-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", tests]
    command = [python_for_others(), "-B", "-m", "pytest", *words]
    done = subprocess.run(command, cwd="/", env=env_for_others(), **ORDINARY)
    assert done.returncode == 0


def test_the_bank_says_what_it_deserves():
    assert len(SUBMISSIONS) > 100
    for each in SUBMISSIONS.values():
        names = [check.name for check in checks_of(each.lab)]
        assert each.passes(names) <= set(names)
        assert each.says["Tries"]
        assert ("Caught by" in each.says) <= (each.passes(names) != set(names))


def test_right_programs_are_the_neighbours_of_bombs():
    right = [each for each in SUBMISSIONS.values() if each.says["Deserves"] == "full"]
    assert len(right) > sum(each.bomb for each in SUBMISSIONS.values())
