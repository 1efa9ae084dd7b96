"""What a page or a table of the whole class keeps of each learner: a few words, no result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from socketlab.grading.out import told
from socketlab.grading.result import Grade, Override
from socketlab.grading.submission import Person, Refusal


@dataclass(frozen=True, slots=True)
class Entry:
    """One learner in a table: `folder` holds what they get back. `mistake` is the likely one,
    `failed` are the places of the checks that fail, `graded` whether the points mean anything."""

    person: Person
    folder: str
    points: float
    out_of: float
    earned: float
    state: str
    attempts: int
    late: timedelta
    lost: float
    mistake: str
    failed: tuple[int, ...]
    override: Override | None
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]
    problem: str

    @property
    def name(self) -> str:
        """For people: the name, or else the id."""
        return self.person.name or self.person.id

    @property
    def graded(self) -> bool:
        """Whether there are points: a result, or some given by hand. Where the grader failed
        there are none, and no platform is told of a zero."""
        return self.override is not None or self.state not in told.UNGRADED


def entry(grade: Grade, folder: str) -> Entry:
    """What is kept of a grade."""
    result, checks = grade.result, told.told(grade.result)
    failed = tuple(place for place, check in enumerate(checks) if check.failed)
    kept = {"person": grade.person, "folder": folder, "state": told.state(grade)}
    kept |= {"points": grade.points, "out_of": grade.out_of, "earned": grade.earned}
    kept |= {"attempts": grade.attempts, "late": grade.late, "lost": grade.lost}
    kept |= {"mistake": result.diagnosis if result else "", "failed": failed}
    kept |= {"override": grade.override, "refusals": grade.refusals}
    kept |= {"notes": grade.submission.notes if grade.submission else ()}
    return Entry(**kept, problem=(result.problem if result else "").split("\n")[0])


@dataclass(slots=True)
class Tally:
    """One check over the whole class."""

    title: str
    hidden: bool
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """How many programs it was tried on, and fails for."""
        return self.outcomes["fail"] + self.outcomes["error"]


class Tallies:
    """The checks of a lab, each counted over the class."""

    def __init__(self) -> None:
        self._checks: dict[tuple[str, bool], Tally] = {}

    def add(self, grade: Grade) -> None:
        """Count one learner's checks."""
        for check in told.told(grade.result):
            key = check.verdict.title, check.hidden
            self._checks.setdefault(key, Tally(*key)).outcomes[check.verdict.outcome] += 1

    def by_failures(self) -> list[Tally]:
        """The checks, those that fail for most first; else in their order."""
        return sorted(self._checks.values(), key=lambda tally: -tally.failed)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A likely mistake that several made, and who."""

    name: str
    who: tuple[Entry, ...]


def mistakes(entries: Iterable[Entry]) -> list[Mistake]:
    """The likely mistakes, the most common first."""
    found: dict[str, list[Entry]] = {}
    for each in entries:
        if each.mistake:
            found.setdefault(each.mistake, []).append(each)
    several = [Mistake(name, tuple(who)) for name, who in found.items()]
    return sorted(several, key=lambda mistake: (-len(mistake.who), mistake.name))
