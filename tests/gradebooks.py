"""What tests of the gradebook put into one: people, submissions and results, made up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from socketlab.grading.gradebook import Gradebook
from socketlab.grading.policy import Extension
from socketlab.grading.result import Override, Result
from socketlab.grading.submission import Found, Person, Submission
from socketlab.harness.verdicts import Verdict

LAB = "04_app"
DUE = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def program(student: str, attempt: int = 1, late: timedelta | None = None, **more) -> Submission:
    """A learner's program; `late` is after DUE, None for an unknown time."""
    source = f"# {student}, {attempt}".encode(errors="surrogatepass")
    handed_in = None if late is None else DUE + late
    told = {"name": f"{student}.py", "handed_in": handed_in, "attempt": attempt, **more}
    return Submission(student=student, source=source, **told)


def result(submission: Submission, points: int = 1, out_of: int = 10, **more) -> Result:
    """A result with so many checks, so many of which pass."""
    told = {"checks": "c1", "grader": "0.1", "status": "graded", "lab": LAB, **more}
    outcomes = ["pass"] * points + ["fail"] * (out_of - points)
    verdicts = tuple(Verdict(f"test_{i}", f"It {i}", each) for i, each in enumerate(outcomes))
    digest = submission.digest
    return Result(digest=digest, sandbox="A bubblewrap", seed=1, verdicts=verdicts, **told)


def class_of(*submissions: Submission, people: Sequence[str] = (), **more) -> Found:
    """A search that found these; the people are those that handed in, or `people`."""
    ids = people or dict.fromkeys(each.student for each in submissions)
    return Found(tuple(map(Person, ids)), submissions, **more)


def override(student: str = "ada", points: float = 7.0, **more) -> Override:
    """Points by hand."""
    told = {"reason": "agreed", "by": "eve", "when": DUE, "lab": LAB, **more}
    return Override(student=student, points=points, **told)


def extension(student: str = "ada", hours: float = 24.0, **more) -> Extension:
    """More time."""
    told = {"reason": "was ill", "by": "eve", "when": DUE, "lab": LAB, **more}
    return Extension(student=student, hours=hours, **told)


def everything_in(path: Path) -> dict[str, object]:
    """All that a gradebook says, so that two can be compared."""
    with Gradebook(path, read_only=True) as book:
        return {
            "results": sorted(map(repr, book.results())),
            "decisions": sorted(map(repr, book.decisions())),
            **{lab: [book.rules(lab), *book.submissions(lab)] for lab in book.labs()},
            "grades": [list(book.grades(lab, "c1", "0.1")) for lab in book.labs()],
        }
