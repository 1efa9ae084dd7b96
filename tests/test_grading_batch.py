"""A batch on any executor: each submission once, whatever dies; shares; the progress line."""

import io
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import pytest
from class_of import class_of, deadly, result_of
from hypothesis import given
from hypothesis import strategies as st

from socketlab.grading.batch import Batch, Progress, ShardError, local_executor, shard
from socketlab.grading.progress import ProgressLine, progress_text
from socketlab.grading.result import Result
from socketlab.grading.submission import Submission


class Kept(dict):
    """What a batch stores: results by student; one stored twice is an error."""

    def store(self, submission: Submission, result: Result) -> None:
        assert submission.student not in self
        self[submission.student] = result

    @property
    def problems(self) -> dict[str, str]:
        return {student: result.problem for student, result in self.items() if result.problem}


def batch(kept: Kept, grade, make, at_once: int = 2, **more) -> Batch:
    return Batch(grade, make, at_once, kept.store, result_of, **more)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on Windows")
def test_what_ends_its_process_costs_nobody_else_anything():
    kept = Kept()

    def make() -> Executor:
        return ProcessPoolExecutor(2, mp_context=get_context("spawn"))

    end = batch(kept, deadly, make).run(class_of(7), 7)
    assert sorted(kept) == [s.student for s in class_of(7)]
    assert set(kept.problems) == {"s003", "s005"}
    assert "ended the process" in kept.problems["s003"]
    assert kept.problems["s005"] == "ValueError: five is odd"
    assert (end.done, end.broken, end.total) == (7, 2, 7)


class Immediate(Executor):
    """Does each call at once."""

    def submit(self, function, *args) -> Future:
        future: Future = Future()
        future.set_result(function(*args))
        return future


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_submissions_are_held_than_are_graded_at_once(at_once):
    taken, kept = 0, Kept()

    def work() -> Iterator[Submission]:
        nonlocal taken
        for submission in class_of(50):
            taken += 1
            assert taken <= len(kept) + at_once
            yield submission

    with ThreadPoolExecutor(at_once) as pool:
        batch(kept, result_of, lambda: borrowed(pool), at_once).run(work(), 50)
    assert len(kept) == 50


@contextmanager
def borrowed(pool: Executor) -> Iterator[Executor]:
    yield pool


def test_any_executor_will_do():
    kept, executor = Kept(), Immediate()
    batch(kept, result_of, lambda: executor).run(class_of(7), 7)
    assert len(kept) == 7


def test_ctrl_c_ends_what_runs_and_keeps_what_is_done():
    kept, stop, begun = Kept(), threading.Event(), []

    def grade(submission: Submission) -> Result:
        begun.append(submission.student)
        if len(begun) > 3:
            assert stop.wait(60)
        return result_of(submission)

    def pressed(progress: Progress) -> None:
        if progress.done == 3:
            raise KeyboardInterrupt

    work = batch(kept, grade, lambda: local_executor(2, stop), report=pressed)
    with pytest.raises(KeyboardInterrupt):
        work.run(class_of(100), 100)
    assert len(kept) == 3
    assert len(begun) <= 5


def test_an_error_of_the_gradebook_ends_the_batch():
    def full(submission: Submission, result: Result) -> None:
        raise OSError("no space left")

    stop = threading.Event()
    work = Batch(result_of, lambda: local_executor(2, stop), 2, full, result_of)
    with pytest.raises(OSError, match="no space"):
        work.run(class_of(5), 5)
    assert stop.is_set()


@given(st.sets(st.text(max_size=8), max_size=30), st.integers(1, 7))
def test_shares_are_the_class_each_submission_once(students, count):
    submissions = [Submission(student=s, source=b"", name="a.py") for s in sorted(students)]
    shares = [list(shard(submissions, f"{n}/{count}")) for n in range(1, count + 1)]
    assert sorted(s.student for share in shares for s in share) == sorted(students)


@pytest.mark.parametrize("share", ["", "0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/3/3", "1 /3"])
def test_a_share_that_is_none_is_told(share):
    with pytest.raises(ShardError, match="2/3 for the second of three"):
        list(shard([], share))


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (Progress(10, 0), "0 of 10 graded"),
        (Progress(10, 4), "4 of 10 graded"),
        (Progress(120, 30, 7, rate=0.35), "37 of 120 graded, 21 a minute, about 4 min left"),
        (Progress(9, 0, 8, rate=0.05), "8 of 9 graded, 3.0 a minute, about 20 s left"),
        (Progress(2000, 0, 5, rate=0.1), "5 of 2000 graded, 6.0 a minute, about 5 h 32 min left"),
        (Progress(5, 0, 5, rate=1.0), "5 of 5 graded, 60 a minute"),
    ],
)
def test_the_progress_line(now, text):
    assert progress_text(now) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_is_shown_on_a_terminal_only_and_taken_away():
    for stream, seen in ((Terminal(), True), (io.StringIO(), False)):
        with ProgressLine(stream) as line:
            line.show(Progress(10, 4))
        assert ("4 of 10" in stream.getvalue()) == seen
        assert stream.getvalue().endswith("\r\33[K" if seen else "")
