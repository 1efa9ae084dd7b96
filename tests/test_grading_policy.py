"""Late rules are arithmetic that a learner can repeat, and typed times mean one thing only."""

import math
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from gradebooks import DAY, DUE, HOUR, extension, program, result
from hypothesis import given
from hypothesis import strategies as st
from odd_values import RULES

from socketlab.grading.policy import (
    NO_TIME,
    PolicyError,
    Rules,
    counting,
    grade_of,
    judge,
    lateness,
    parse_due,
    points_lost,
)
from socketlab.grading.submission import Person

MINUTE = timedelta(minutes=1)
TENTH = Rules(DUE, grace=15 * MINUTE, per_day=0.1, cap=0.5)
ATTEMPTS = st.lists(
    st.tuples(st.integers(0, 10), st.none() | st.integers(-99, 99)), min_size=1, max_size=5
)
LATE = st.timedeltas(timedelta(0), 30 * DAY)


def late(days: timedelta, hours: float = 0, rules: Rules = TENTH) -> tuple[timedelta, float]:
    """How late it is, and what that costs of 10 points."""
    how = lateness(rules, DUE + days, hours)
    return how, points_lost(rules, how, 10, 10)


@pytest.mark.parametrize(
    ("after", "cost"),
    [
        (-DAY, 0),
        (timedelta(0), 0),
        (15 * MINUTE, 0),
        (15 * MINUTE + timedelta(microseconds=1), 1),
        (DAY, 1),
        (DAY + 15 * MINUTE, 1),
        (DAY + 16 * MINUTE, 2),
        (2 * DAY + HOUR, 3),
        (99 * DAY, 5),
    ],
)
def test_a_begun_day_costs_its_share_up_to_the_cap(after: timedelta, cost: float) -> None:
    assert late(after) == (after if cost else timedelta(0), cost)


def test_an_extension_moves_the_time_and_keeps_the_grace() -> None:
    assert late(DAY + 15 * MINUTE, hours=24) == (timedelta(0), 0)
    assert late(DAY + 16 * MINUTE, hours=24) == (16 * MINUTE, 1)


def test_without_a_due_time_nothing_is_late() -> None:
    assert late(99 * DAY, rules=Rules(per_day=1.0)) == (timedelta(0), 0)


def test_no_more_is_lost_than_was_earned() -> None:
    assert points_lost(TENTH, 5 * DAY, earned=2, out_of=10) == 2
    assert points_lost(TENTH, 5 * DAY, earned=0, out_of=10) == 0


@given(RULES, LATE, LATE, st.integers(0, 50), st.integers(0, 50))
def test_later_never_costs_less(rules, one, other, earned: int, more: int) -> None:
    sooner, later = sorted([one, other])
    due = Rules(DUE, rules.grace, rules.per_day, rules.cap)
    costs = [
        points_lost(due, lateness(due, DUE + late), earned, earned + more)
        for late in (sooner, later)
    ]
    assert 0 <= costs[0] <= costs[1] <= min(earned, rules.cap * (earned + more) + 1e-6)


def test_an_unknown_time_is_in_time_and_that_is_said() -> None:
    attempt = judge(TENTH, program("ada", notes=("renamed",)), None, 0)
    assert (attempt.late, attempt.submission.notes) == (timedelta(0), ("renamed", NO_TIME))
    assert judge(Rules(), program("ada"), None, 0).submission.notes == ()


def attempts(rules: Rules, *points_and_hours: tuple[int | None, int | None]) -> list:
    """Attempts with so many points, None if not graded, so many hours after they were due."""
    judged = []
    for number, (points, hours) in enumerate(points_and_hours, start=1):
        handed_in = program("ada", number, None if hours is None else hours * HOUR)
        graded = None if points is None else result(handed_in, points)
        judged.append(judge(rules, handed_in, graded, 0))
    return judged


@pytest.mark.parametrize(
    ("which", "points_and_hours", "number"),
    [
        ("best", [(5, -3), (8, -2), (6, -1)], 2),
        ("best", [(8, -1), (9, 30)], 1),  # 9 less 2 for two days
        ("best", [(7, -2), (8, 1)], 1),  # both 7: the earlier
        ("best", [(8, 1), (7, -2)], 2),
        ("best", [(0, -2), (None, -1)], 1),
        ("last", [(8, -1), (9, -5)], 1),
        ("last", [(8, -1), (None, 1)], 2),
        ("last", [(8, None), (9, -5)], 2),  # a time is missing: by their numbers
        ("best", [(None, -2), (None, -1)], 2),
    ],
)
def test_the_attempt_that_counts(which, points_and_hours, number: int) -> None:
    rules = Rules(DUE, per_day=0.1, attempts=which)
    counts = counting(rules, attempts(rules, *points_and_hours))
    assert counts.submission.attempt == number


@given(ATTEMPTS)
def test_best_is_never_less_than_last(given_in) -> None:
    best, last = (Rules(DUE, per_day=0.1, attempts=which) for which in ("best", "last"))
    judged = attempts(best, *given_in)
    assert counting(best, judged).points == max(each.points for each in judged)
    assert counting(best, judged).points >= counting(last, judged).points


def test_a_grade_says_how_it_came_about() -> None:
    person, judged = Person("ada"), attempts(TENTH, (4, -9), (9, 30))
    grade = grade_of(person, "04_app", TENTH, judged, out_of=3)
    assert (grade.points, grade.out_of, grade.earned, grade.lost) == (7, 10, 9, 2)
    assert (grade.late, grade.attempts) == (30 * HOUR, 2)
    assert (grade.result, grade.submission) == (judged[1].result, judged[1].submission)


def test_whoever_handed_in_nothing_has_no_points() -> None:
    grade = grade_of(Person("ada"), "04_app", TENTH, [], out_of=10)
    assert (grade.points, grade.out_of, grade.result, grade.attempts) == (0, 10, None, 0)


def test_no_attempt_counts_of_none() -> None:
    assert counting(Rules(), []) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"due": datetime(2026, 11, 30)}, "a time with its zone"),
        ({"due": "2026-11-30"}, "a time with its zone"),
        ({"grace": -HOUR}, "0 or more"),
        ({"grace": 5}, "a length of time"),
        ({"per_day": 10}, "0.1 for 10 %"),
        ({"per_day": -0.1}, "from 0 to 1"),
        ({"per_day": math.nan}, "from 0 to 1"),
        ({"per_day": True}, "from 0 to 1"),
        ({"per_day": "0.1"}, "from 0 to 1"),
        ({"cap": 1.5}, "most that is lost"),
        ({"attempts": "first"}, "best or last"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(values, words: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(words)):
        Rules(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hours": -1}, "0 to 87840 hours"),
        ({"hours": math.inf}, "0 to 87840 hours"),
        ({"hours": math.nan}, "0 to 87840 hours"),
        ({"reason": " "}, "Say why"),
        ({"when": datetime(2026, 11, 30)}, "a time with its zone"),
    ],
)
def test_an_extension_that_cannot_be_is_refused(values, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        extension(**values)


class Clocks(tzinfo):
    """Clocks go forward from 2 to 3 on March 1st, and back from 3 to 2 on October 1st."""

    def utcoffset(self, time: datetime | None) -> timedelta:
        assert time is not None
        return HOUR + self.dst(time)

    def dst(self, time: datetime | None) -> timedelta:
        """An hour in summer; in the hour that comes twice, as `fold` says."""
        assert time is not None
        wall = time.replace(tzinfo=None)
        if datetime(2026, 10, 1, 2) <= wall < datetime(2026, 10, 1, 3):
            return HOUR * (not time.fold)
        if datetime(2026, 3, 1, 2) <= wall < datetime(2026, 3, 1, 3):
            return HOUR * time.fold
        return HOUR * (datetime(2026, 3, 1, 3) <= wall < datetime(2026, 10, 1, 3))

    def fromutc(self, time: datetime) -> datetime:
        utc = time.replace(tzinfo=None)
        summer = datetime(2026, 3, 1, 1) <= utc < datetime(2026, 10, 1, 1)
        again = datetime(2026, 10, 1, 1) <= utc < datetime(2026, 10, 1, 2)
        return (time + HOUR * (1 + summer)).replace(fold=again)


@pytest.mark.parametrize(
    ("text", "hour_in_utc"),
    [
        ("2026-11-30 23:59", 22),
        (" 2026-11-30T23:59 ", 22),
        ("2026-11-30 23:59:00", 22),
        ("2026-11-30T23:59+02:00", 21),
        ("2026-11-30 23:59Z", 23),
        ("2026-11-30 23:59-0100", 24),
        ("2026-07-01 02:59", 0),
        ("2026-10-01 02:59", 1),  # twice: the later, which is winter time
    ],
)
def test_a_typed_time_is_one_time(text: str, hour_in_utc: int) -> None:
    due = parse_due(text, Clocks())
    day = datetime(*map(int, text.strip()[:10].split("-")), tzinfo=UTC)
    assert due == (day + timedelta(hours=hour_in_utc, minutes=59)).astimezone(due.tzinfo)
    assert Rules(due.astimezone(UTC))


def test_a_typed_time_is_local_by_default() -> None:
    assert parse_due("2026-11-30 23:59") == datetime(2026, 11, 30, 23, 59).astimezone()
    assert parse_due("2026-11-30 23:59").utcoffset() is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-11-30",
        "30.11.2026 23:59",
        "2026-11-31 23:59",
        "2026-11-30 24:01",
        "2026-11-30 23:59+99:00",
        "2026-03-01 02:30",  # clocks go forward over it
        "9999-12-31 23:59",  # in UTC that is a year of five digits, in some zones
        "2026-11-30 23:59\n2026",
        "٢٠٢٦-11-30 23:59",
    ],
)
def test_what_is_no_time_is_told_how_to_write_one(text: str) -> None:
    zone = timezone(-HOUR) if text.startswith("9999") else Clocks()
    with pytest.raises(PolicyError, match="Write 2026-11-30 23:59"):
        parse_due(text, zone)


@given(st.text())
def test_whatever_is_typed_is_a_time_or_a_clear_error(text: str) -> None:
    with suppress(PolicyError):
        assert parse_due(text).utcoffset() is not None
