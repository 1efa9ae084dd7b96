"""What may be told of a result. Everything that is given back comes through here, so that nothing
of a hidden check but its title and its outcome can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from socketlab.grading.out.clean import number, plural
from socketlab.grading.result import Grade, Result, does_not_apply
from socketlab.harness.verdicts import Verdict

HIDDEN = (
    "There are hidden checks: they try what the handout asks for in ways that it does not list. "
    "Of each one, its title and its outcome are told, and nothing else."
)
PROBLEMS = {
    "graded": "",
    "timeout": "The whole run took too long and was stopped. Checks that were not reached by then "
    "have no points.",
    "broken": "The checks themselves stopped before their end. That is not the fault of your "
    "program: ask your instructor to grade it again.",
}
REFUSED, MISSING, BROKE = UNGRADED = ("refused", "not handed in", "checks broke")
WORDS = {"pass": "passes", "fail": "fails", "skip": "not tried", "error": "check is broken"}


@dataclass(frozen=True, slots=True)
class Told:
    """One check as its learner may see it. `verdict` of a hidden check has a title and an outcome,
    all else is empty. `counts`: whether it is worth a point here."""

    verdict: Verdict
    hidden: bool
    counts: bool

    @property
    def points(self) -> int:
        """One if it passes."""
        return int(self.verdict.outcome == "pass")

    @property
    def word(self) -> str:
        """The outcome for a reader."""
        if self.verdict.outcome == "skip" and not self.counts:
            return "does not apply"
        return WORDS[self.verdict.outcome]

    @property
    def failed(self) -> bool:
        """Whether it was tried, and does not pass."""
        return self.verdict.outcome in ("fail", "error")


def told(result: Result | None) -> list[Told]:
    """What may be told of each check, in order; nothing of no result."""
    if result is None:
        return []
    hidden = set(result.hidden)
    return [_told(verdict, verdict.name in hidden) for verdict in result.verdicts]


def _told(verdict: Verdict, hidden: bool) -> Told:
    shown = Verdict("", verdict.title, verdict.outcome) if hidden else verdict
    return Told(shown, hidden, not does_not_apply(verdict))


def problem(result: Result | None) -> str:
    """Why a run did not come to its end, for the learner; "" if it did."""
    return PROBLEMS[result.status] if result else ""


def duration(late: timedelta) -> str:
    """How late something is, for a reader: days and hours, or else minutes."""
    minutes = -(-late // timedelta(minutes=1))
    days, hours = minutes // 1440, minutes % 1440 // 60
    if not days and not hours:
        return plural(minutes, "minute")
    parts = [plural(days, "day")] * bool(days) + [plural(hours, "hour")] * bool(hours)
    return " ".join(parts)


def state(grade: Grade) -> str:
    """What became of one learner's work, in a word or two."""
    if grade.result is None:
        return REFUSED if grade.refusals else MISSING
    return {"graded": "graded", "timeout": "stopped", "broken": BROKE}[grade.result.status]


def adjustments(grade: Grade) -> list[str]:
    """Sentences on all that stands between the checks' points and the grade."""
    said = []
    if grade.late:
        cost = f" That costs {points(grade.lost)}." if grade.lost else " That costs nothing."
        said.append(f"Handed in {duration(grade.late)} late.{cost}")
    if grade.override:
        given = points(grade.override.points)
        said.append(f"{given} were given by hand: {grade.override.reason}")
    return said


def points(value: float) -> str:
    """`1 point`, `13.5 points`."""
    return f"{number(value)} point" + "s" * (value != 1)


def count(checks: Sequence[Told]) -> tuple[int, int]:
    """How many of these checks pass, and of how many."""
    return sum(each.points for each in checks), sum(each.counts for each in checks)
