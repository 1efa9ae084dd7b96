"""Many submissions graded on any executor: each once, in bounded memory, whatever dies."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from concurrent.futures import ThreadPoolExecutor as Threads
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import islice

from socketlab.grading.result import Result
from socketlab.grading.submission import Submission

Grader = Callable[[Submission], Result]
MakeExecutor = Callable[[], AbstractContextManager[Executor]]
WINDOW = 40  # results that the rate is taken from
LOOK = 0.5  # seconds from one progress report to the next, at most


class ShardError(ValueError):
    """What was said of the share to grade cannot be read."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: `known` were in the gradebook before, `done` are graded now, `broken`
    of them without a result of their own. `rate` is in submissions a second, None at first."""

    total: int
    known: int
    done: int = 0
    broken: int = 0
    rate: float | None = None

    @property
    def left(self) -> float | None:
        """Seconds until the end at this rate; None if nobody can tell."""
        return (self.total - self.known - self.done) / self.rate if self.rate else None


@dataclass
class Batch:
    """One batch. `grade` gives a submission's result, on an executor that `make` makes, `at_once`
    of them side by side; `store` keeps each as soon as it is there; `give_up` makes the result of
    a submission that ended its worker twice, or failed in the grader itself: it is told why.
    """

    grade: Grader
    make: MakeExecutor
    at_once: int
    store: Callable[[Submission, Result], None]
    give_up: Callable[[Submission, str], Result]
    report: Callable[[Progress], None] = lambda progress: None
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def run(self, work: Iterable[Submission], total: int, known: int = 0) -> Progress:
        """Grade all of `work`; the progress at the end. Whatever is raised here ends the batch:
        what has been stored stays."""
        self._now = Progress(total, known)
        self._times.append(time.monotonic())
        self.report(self._now)
        todo, suspects = iter(work), deque[Submission]()
        while True:
            suspects.extend(self._on_one_executor(todo, self.at_once))
            if not suspects:
                return self._now
            # One of them ended its worker. Alone, the guilty one shows itself.
            while suspects:
                for guilty in self._on_one_executor(iter([suspects.popleft()]), 1):
                    self._keep(guilty, self.give_up(guilty, "it ended the process it ran in"))

    def _on_one_executor(self, todo: Iterator[Submission], width: int) -> list[Submission]:
        """Grade until there is no more to do; what was lost when the executor broke."""
        running: dict[Future[Result], Submission] = {}
        lost: list[Submission] = []
        with self.make() as executor:
            while not lost:
                for submission in islice(todo, width - len(running)):
                    try:
                        running[executor.submit(self.grade, submission)] = submission
                    except BrokenExecutor:  # since a moment ago
                        lost.append(submission)
                        break
                if not running:
                    break
                for future in wait(running, LOOK, FIRST_COMPLETED).done:
                    lost += self._take(running.pop(future), future)
                self.report(self._now)
            for future in wait(running).done:
                lost += self._take(running.pop(future), future)
        return lost

    def _take(self, submission: Submission, future: Future[Result]) -> list[Submission]:
        """Keep a result; the submission again if it was lost with its worker."""
        error = future.exception()
        if error is None:
            self._keep(submission, future.result())
        elif isinstance(error, BrokenExecutor):
            return [submission]
        elif isinstance(error, Exception):
            self._keep(submission, self.give_up(submission, f"{type(error).__name__}: {error}"))
        else:
            raise error
        return []

    def _keep(self, submission: Submission, result: Result) -> None:
        self.store(submission, result)
        self._times.append(time.monotonic())
        lasted = self._times[-1] - self._times[0]
        now, broken = self._now, result.status == "broken"
        rate = (len(self._times) - 1) / lasted if lasted else None
        self._now = Progress(now.total, now.known, now.done + 1, now.broken + broken, rate)


@contextmanager
def local_executor(workers: int, stop: threading.Event) -> Iterator[Executor]:
    """So many threads: what they wait for are processes. If the block is left by an exception,
    `stop` is set and what has not begun is dropped."""
    executor = Threads(workers, thread_name_prefix="grading")
    try:
        yield executor
    except BaseException:
        stop.set()
        executor.shutdown(cancel_futures=True)
        raise
    executor.shutdown()


def not_yet(
    submissions: Iterable[Submission], has: Callable[[Submission], bool]
) -> Iterator[Submission]:
    """Those that are to be graded: there is no result of them, and of the same program, handed in
    twice by one learner, only the first."""
    seen = set()
    for submission in submissions:
        key = (submission.student, submission.digest)
        if key not in seen and not has(submission):
            yield submission
        seen.add(key)


def shard(submissions: Iterable[Submission], share: str) -> Iterator[Submission]:
    """The submissions of one share of a class: "2/3" is the second of three. All of a learner's
    are in one share, the same on each machine. ShardError says what is wrong with `share`."""
    number, count = _numbers(share)
    for submission in submissions:
        digest = hashlib.sha256(submission.student.encode("utf-8", "surrogatepass")).digest()
        if int.from_bytes(digest[:8], "big") % count == number - 1:
            yield submission


def _numbers(share: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", share)
    number, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= count:
        raise ShardError(
            f"{share!r} is no share. Write 2/3 for the second of three; the shares together are "
            "the class: 1/3, 2/3 and 3/3."
        )
    return number, count
