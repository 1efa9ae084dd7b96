"""A class and a grader that is none, for tests of what is around the grader."""

import os
import signal

from socketlab.grading.result import Result
from socketlab.grading.submission import Submission


def class_of(count: int) -> list[Submission]:
    return [Submission(student=f"s{n:03}", source=b"%d" % n, name=f"{n}.py") for n in range(count)]


def result_of(submission: Submission, problem: str = "") -> Result:
    told = {"checks": "c", "grader": "g", "sandbox": "C", "seed": 1, "verdicts": ()}
    status = "broken" if problem else "graded"
    digest = submission.digest
    return Result(lab="01", digest=digest, status=status, problem=problem, **told)


def deadly(submission: Submission) -> Result:
    """Ends its process for some submissions, fails for others."""
    if submission.source == b"3":
        os.kill(os.getpid(), signal.SIGKILL)
    if submission.source == b"5":
        raise ValueError("five is odd")
    return result_of(submission)
