"""What grading one submission came to, and one learner's grade: plain values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from socketlab.grading.submission import Person, Refusal, Submission
from socketlab.harness.verdicts import Verdict

Status = Literal["graded", "timeout", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the checks of a lab found in one program: a function of its bytes, lab and seed.

    `digest` is the program's SHA-256, `checks` that of all that judged it (checks, hidden checks,
    guide), `grader` the version of the kit, `sandbox` the tier with its name ("A bubblewrap").
    `status` "timeout": the whole run was stopped; "broken": the checks themselves stopped, which
    is nobody's fault but ours; `problem` then says it in a sentence, and what has no verdict has
    no points. `hidden` are the names of the hidden checks among `verdicts`. `diagnosis`, `cause`
    and `read` are the most likely mistake, "" where none fits; `hints` are those of the first
    failure.
    """

    lab: str
    digest: str
    checks: str
    grader: str
    sandbox: str
    seed: int
    status: Status
    verdicts: tuple[Verdict, ...]
    hidden: tuple[str, ...] = ()
    problem: str = ""
    diagnosis: str = ""
    cause: str = ""
    read: str = ""
    hints: tuple[str, ...] = ()
    seconds: float = 0.0  # CPU time and waiting, for the instructor; not part of what is compared

    @property
    def points(self) -> int:
        """One for each check that passes."""
        return sum(verdict.outcome == "pass" for verdict in self.verdicts)

    @property
    def out_of(self) -> int:
        """One for each check; one that does not apply on this machine is not counted."""
        return sum(not does_not_apply(verdict) for verdict in self.verdicts)


def does_not_apply(verdict: Verdict) -> bool:
    """Whether a check was skipped by itself, as one of IPv6 where there is none, rather than
    because others failed."""
    from socketlab.harness.schedule import UNTRIED, WAITS

    return verdict.outcome == "skip" and not verdict.happened.startswith((WAITS, UNTRIED))


@dataclass(frozen=True, slots=True)
class Override:
    """Points that an instructor gave by hand, with the reason; the latest counts."""

    student: str
    lab: str
    points: float
    reason: str
    by: str
    when: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """One learner's grade in one lab. `points` and `out_of` are final: late rules and override
    are in them, `earned` is what the checks gave. `result` and `submission` are the attempt that
    counts, None if there is none; `refusals` say why something was not graded."""

    person: Person
    lab: str
    points: float
    out_of: float
    earned: float = 0.0
    result: Result | None = None
    submission: Submission | None = None
    attempts: int = 0
    late: timedelta = timedelta(0)
    lost: float = 0.0  # points, for being late
    override: Override | None = None
    refusals: tuple[Refusal, ...] = ()
