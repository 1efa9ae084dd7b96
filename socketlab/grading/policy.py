"""Late rules, and which attempt counts: pure functions of what was handed in and what it got."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, get_args

from socketlab.grading.result import Grade, Override, Result
from socketlab.grading.submission import Person, Refusal, Submission

Attempts = Literal["best", "last"]
DAY = timedelta(days=1)
MOST_HOURS = 24 * 3660
NO_TIME = "Nobody knows when this was handed in: it is taken to be in time."
DUE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:?[0-9]{2})?"


class PolicyError(ValueError):
    """A late rule or an extension that cannot be; the message says what can."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What being late costs, and which attempt counts.

    Work handed in up to `grace` after `due` is not late. Of the points that can be had, the
    fraction `per_day` is lost for each day begun after that, and at most the fraction `cap`.
    With no `due`, nothing is late. PolicyError if a value cannot be.
    """

    due: datetime | None = None
    grace: timedelta = timedelta(0)
    per_day: float = 0.0
    cap: float = 1.0
    attempts: Attempts = "best"

    def __post_init__(self) -> None:
        if self.due is not None:
            _aware("due", self.due)
        if not isinstance(self.grace, timedelta) or self.grace < timedelta(0):
            raise PolicyError(f"The grace is a length of time, 0 or more, not {self.grace}.")
        _fraction("What is lost for each day", self.per_day)
        _fraction("The most that is lost", self.cap)
        if self.attempts not in get_args(Attempts):
            raise PolicyError(f"The attempt that counts is best or last, not {self.attempts!r}.")


@dataclass(frozen=True, slots=True)
class Extension:
    """So many hours more for one learner in one lab, and why; the latest counts, they do not add
    up. PolicyError if a value cannot be."""

    student: str
    lab: str
    hours: float
    reason: str
    by: str
    when: datetime

    def __post_init__(self) -> None:
        if not 0 <= _number(self.hours) <= MOST_HOURS:
            raise PolicyError(f"An extension is 0 to {MOST_HOURS} hours, not {self.hours}.")
        if not self.reason.strip():
            raise PolicyError("Say why this learner has more time: the reason is empty.")
        _aware("when", self.when)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One submission with its result, None if it is not graded yet, and what being late costs."""

    submission: Submission
    result: Result | None
    late: timedelta = timedelta(0)
    lost: float = 0.0

    @property
    def points(self) -> float:
        """What is left, 0 or more."""
        return self.result.points - self.lost if self.result else 0.0


def judge(rules: Rules, submission: Submission, result: Result | None, hours: float) -> Attempt:
    """One attempt with the rules applied; its learner has so many hours more."""
    if rules.due is not None and submission.handed_in is None:
        submission = replace(submission, notes=(*submission.notes, NO_TIME))
    late = lateness(rules, submission.handed_in, hours)
    lost = points_lost(rules, late, result.points, result.out_of) if result else 0.0
    return Attempt(submission, result, late, lost)


def lateness(rules: Rules, handed_in: datetime | None, hours: float = 0.0) -> timedelta:
    """How long after it was due, with so many hours more; 0 within the grace, and if nobody
    knows when."""
    if rules.due is None or handed_in is None:
        return timedelta(0)
    late = handed_in - rules.due - timedelta(hours=hours)
    return late if late > rules.grace else timedelta(0)


def points_lost(rules: Rules, late: timedelta, earned: float, out_of: float) -> float:
    """The points that being so late costs, at most those that were earned. Days are counted from
    the end of the grace."""
    days = max(0, math.ceil((late - rules.grace) / DAY)) if late else 0
    lost = min(days * rules.per_day, rules.cap) * out_of
    return min(round(lost, 6), float(earned))  # 3 x 0.1 of 10 points is 3


def counting(rules: Rules, attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt that counts. The best is that with most points when all is taken off, of equal
    ones the earlier; the last is the last handed in, even if it is not graded yet."""
    ordered = _in_time(attempts)
    graded = [attempt for attempt in ordered if attempt.result]
    if rules.attempts == "best" and graded:
        return max(graded, key=lambda attempt: attempt.points)
    return ordered[-1] if ordered else None


def _in_time(attempts: Sequence[Attempt]) -> list[Attempt]:
    """In the order they were handed in; by their numbers, if a time is missing."""
    times = [attempt.submission.handed_in for attempt in attempts]
    if any(time is None for time in times):
        return sorted(attempts, key=lambda attempt: attempt.submission.attempt)
    places = sorted(range(len(times)), key=lambda i: (times[i], attempts[i].submission.attempt))
    return [attempts[place] for place in places]


def grade_of(
    person: Person,
    lab: str,
    rules: Rules,
    attempts: Sequence[Attempt],
    *,
    out_of: float,
    override: Override | None = None,
    refusals: tuple[Refusal, ...] = (),
) -> Grade:
    """One learner's grade. `out_of` is what it is out of if no attempt has a result."""
    counts = counting(rules, attempts)
    result = counts.result if counts else None
    points = counts.points if counts else 0.0
    return Grade(
        person=person,
        lab=lab,
        points=float(override.points if override else points),
        out_of=float(result.out_of if result else out_of),
        earned=float(result.points) if result else 0.0,
        result=result,
        submission=counts.submission if counts else None,
        attempts=len(attempts),
        late=counts.late if counts else timedelta(0),
        lost=counts.lost if counts else 0.0,
        override=override,
        refusals=refusals,
    )


def parse_due(text: str, zone: tzinfo | None = None) -> datetime:
    """The time that was typed: 2026-11-30 23:59 in `zone`, by default that of this machine, or
    2026-11-30T23:59+01:00. Of a time that comes twice when clocks go back, the later one.
    PolicyError if it is none, or if clocks go forward over it."""
    typed = text.strip()
    if not re.fullmatch(DUE, typed):
        raise _no_time(text)
    try:
        time = datetime.fromisoformat(typed)
        return time if time.tzinfo else _in_zone(time, zone)
    except (ValueError, OverflowError, OSError):
        raise _no_time(text) from None


def _in_zone(time: datetime, zone: tzinfo | None) -> datetime:
    both = [time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    real = [each for each in both if each.astimezone(zone).replace(tzinfo=None, fold=0) == time]
    return max(real).astimezone(zone)  # empty: clocks go forward over it


def _no_time(text: str) -> PolicyError:
    return PolicyError(
        f"{text!r} is no time of a day that is. Write 2026-11-30 23:59, which is local time, or "
        "2026-11-30T23:59+01:00 with its distance from UTC."
    )


def _aware(name: str, time: datetime) -> None:
    if not isinstance(time, datetime) or time.utcoffset() is None:
        raise PolicyError(f"{name} is a time with its zone, not {time}. parse_due makes one.")


def _fraction(what: str, value: float) -> None:
    if not 0 <= _number(value) <= 1:
        raise PolicyError(f"{what} is a fraction from 0 to 1, 0.1 for 10 %, not {value}.")


def _number(value: object) -> float:
    """The number; one that compares as false with everything if it is none."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return value if numeric else math.nan  # type: ignore[return-value]
