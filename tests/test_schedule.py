"""Which checks are tried, in which order verdicts come, and what workers do when things end."""

import os
import signal
import sys
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import RIGHT, write

from socketlab.harness import runs
from socketlab.harness.runner import ChecksError, run_checks, stream_checks
from socketlab.harness.schedule import GATED, UNTRIED, Check, Schedule
from socketlab.harness.verdicts import Verdict
from socketlab.harness.workers import can_fork, hand_out, workers

FORKS = pytest.mark.skipif(not can_fork(), reason="no fork here")


def verdict(check, outcome="pass"):
    return Verdict(check.name, check.title, outcome)


def tried(checks, failing=(), order=lambda open_: open_.pop(0), lost=9.0, first=False):
    """(names in the order in which they were tried, verdicts in the order they were written)."""
    written, names, open_ = [], [], []
    schedule = Schedule(checks, written.append, lost, first)
    while True:
        open_ += schedule.ready()
        if not open_:
            return names, written, schedule.complete
        check = checks[place := order(open_)]
        names.append(check.name)
        schedule.done(place, verdict(check, "fail" if check.name in failing else "pass"), 1.0)


CHECKS = [
    Check("a", "A"),
    Check("gate", "G", gate=True),
    Check("b", "B"),
    Check("c", "C", after=("b",)),
    Check("d", "D", after=("c", "a")),
]


def outcomes(verdicts):
    return [(v.name, v.outcome, v.happened) for v in verdicts]


def test_all_are_tried_and_told_in_order():
    names, written, complete = tried(CHECKS)
    assert names == [v.name for v in written] == ["a", "gate", "b", "c", "d"]
    assert complete


def test_nothing_is_tried_behind_a_gate_that_fails():
    names, written, complete = tried(CHECKS, {"gate"})
    assert names == ["a", "gate"]
    assert outcomes(written)[2:] == [(name, "skip", GATED) for name in "bcd"]
    assert complete


def test_a_check_that_comes_after_a_failed_one_is_skipped_and_says_so():
    names, written, _ = tried(CHECKS, {"b"})
    assert names == ["a", "gate", "b"]
    assert outcomes(written)[3:] == [
        ("c", "skip", "not tried until this passes: B"),
        ("d", "skip", "not tried until this passes: C"),
    ]


def test_too_much_time_lost_ends_the_trying():
    written = []
    checks = [Check(name, name) for name in "abc"]
    schedule = Schedule(checks, written.append, 1.5)
    while (place := next(schedule.ready(), None)) is not None:  # one at a time
        schedule.done(place, verdict(checks[place], "fail"), 1.0)
    assert outcomes(written) == [("a", "fail", ""), ("b", "fail", ""), ("c", "skip", UNTRIED)]
    assert schedule.complete


@given(st.randoms(use_true_random=False), st.sets(st.sampled_from("abcdg")), st.booleans())
def test_the_verdicts_do_not_depend_on_who_is_first(rng, failing, first):
    failing = {"gate" if name == "g" else name for name in failing}
    mixed = tried(CHECKS, failing, lambda open_: open_.pop(rng.randrange(len(open_))), first=first)
    straight = tried(CHECKS, failing, first=first)
    assert mixed[1:] == straight[1:]
    if first and failing:
        assert mixed[1][-1].outcome == "fail"


@pytest.mark.parametrize("after", ["no_such", "b", "a"])
def test_after_names_an_earlier_check(after):
    with pytest.raises(ValueError, match=r"is no check|comes later"):
        Schedule([Check("a", "A", after=(after,)), Check("b", "B")], print, 1.0)


# Workers


def double(job):
    if job["n"] == "die":
        os._exit(1)
    if job["n"] == "hang":
        time.sleep(1000)
    return {"n": 2 * job["n"], "pid": os.getpid()}


def run(jobs, count=3):
    """(whether all was done, what came back)"""
    left, back = list(jobs), []
    with workers(count, double, lambda: None) as team:
        pids = [worker.pid for worker in team]
        whole = hand_out(team, lambda: {"n": left.pop(0)} if left else None, back.append)
    assert not any(map(psutil.pid_exists, pids))
    return whole, back


@FORKS
def test_workers_share_the_jobs():
    whole, back = run(range(30))
    assert whole
    assert sorted(each["n"] for each in back) == [2 * n for n in range(30)]
    assert os.getpid() not in {each["pid"] for each in back}


@FORKS
def test_a_worker_that_dies_is_noticed_and_the_others_are_ended():
    whole, _ = run(["hang", "hang", "die"])
    assert not whole


# With pytest around it

SIDE = '''
from socketlab.harness import lab_check
import os, pathlib, time

def meet(number):
    """Each of two checks waits for the other: they must run at the same time."""
    pathlib.Path({folder!r}, str(number)).touch()
    end = time.monotonic() + 60
    while not pathlib.Path({folder!r}, str(1 - number)).exists():
        assert time.monotonic() < end
        time.sleep(0.01)

@lab_check()
def test_one():
    """one"""
    meet(0)

@lab_check()
def test_two():
    """two"""
    meet(1)

@lab_check(after={after!r})
def test_three():
    """three"""
'''


@FORKS
def test_checks_run_side_by_side_and_come_as_they_are_known(tmp_path):
    file = write(tmp_path, SIDE.format(folder=str(tmp_path), after="test_one"), "00_checks.py")
    found = run_checks(write(tmp_path, RIGHT), [file], jobs=2)
    assert [each.outcome for each in found] == ["pass"] * 3


def test_an_after_that_names_nothing_is_the_checks_fault(tmp_path):
    file = write(tmp_path, SIDE.format(folder=str(tmp_path), after="test_zero"), "00_checks.py")
    with pytest.raises(ChecksError, match="'test_zero' is no check"):
        run_checks(write(tmp_path, RIGHT), [file])


STOPS = '''
from socketlab.harness import lab_check
import time

@lab_check()
def test_one():
    """one"""

@lab_check()
def test_two(server):
    """two"""
    time.sleep(1000)
'''


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_stream_can_be_closed_in_the_middle(tmp_path, jobs):
    file, path = write(tmp_path, STOPS, "00_checks.py"), write(tmp_path, RIGHT)
    before = psutil.Process().children(recursive=True)
    stream = stream_checks(path, [file], jobs=jobs)
    assert next(stream).title == "one"
    children = psutil.Process().children(recursive=True)
    stream.close()
    assert [each for each in children if runs(each) and each not in before] == []


@FORKS
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes by their parents")
def test_nothing_is_left_when_the_checks_are_killed(tmp_path):
    file, path = write(tmp_path, STOPS, "00_checks.py"), write(tmp_path, RIGHT)
    before = psutil.Process().children(recursive=True)
    stream = stream_checks(path, [file], jobs=3)
    assert next(stream).title == "one"
    family = [p for p in psutil.Process().children(recursive=True) if p not in before]
    pytest_itself = next(p for p in psutil.Process().children() if p not in before)
    os.kill(pytest_itself.pid, signal.SIGKILL)
    with pytest.raises(ChecksError):
        list(stream)
    _, left = psutil.wait_procs(family, 30)
    assert left == []
