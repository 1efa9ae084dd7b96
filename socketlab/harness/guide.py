"""What a failure most likely means, and hints: one table a lab, `labs/checks/NN_name.toml`.

A row names a mistake and what is seen of it. The first row that fits is the diagnosis; where none
fits, nothing is guessed. Text in, text out: no processes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from socketlab.harness.verdicts import Verdict

SEEN = ("happened", "sent", "got", "wanted", "program")  # parts of a verdict that a row may search
LISTS = ("check", "signs", "fails", "passes")


class GuideError(ValueError):
    """A guide cannot be read; the message says where it is wrong."""


@dataclass(frozen=True)
class Diagnosis:
    """A mistake: its `name` completes the sentence "Your program ...", `cause` says why that
    leads to what was seen; `read` is a key of the reading table, `row` one of the misconceptions'.

    It fits if the first failing check is one of `check`, has all these `signs`, if each pattern
    of `seen` is found in that part of its verdict, all of `fails` fail and all of `passes` pass.
    """

    name: str
    cause: str
    check: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()
    fails: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    read: str = ""
    row: int = 0

    def fits(self, first: Verdict, outcomes: dict[str, str]) -> bool:
        """Whether this is the mistake, going by the first failure and all outcomes."""
        return (
            (not self.check or first.name in self.check)
            and set(self.signs) <= set(first.signs)
            and all(re.search(pattern, getattr(first, part)) for part, pattern in self.seen)
            and all(outcomes.get(name) == "fail" for name in self.fails)
            and all(outcomes.get(name) == "pass" for name in self.passes)
        )


@dataclass(frozen=True)
class Guide:
    """The diagnoses of a lab, most special first, and the hints by check or by diagnosis."""

    diagnoses: tuple[Diagnosis, ...] = ()
    hints: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def needs_all(self) -> bool:
        """Whether a diagnosis looks further than the first failure."""
        return any(row.fails or row.passes for row in self.diagnoses)

    def diagnose(self, verdicts: Sequence[Verdict]) -> Diagnosis | None:
        """The mistake that fits what the checks found; None if none does."""
        first = first_failure(verdicts)
        outcomes = {verdict.name: verdict.outcome for verdict in verdicts}
        if first is None or first.outcome == "error":
            return None
        return next((row for row in self.diagnoses if row.fits(first, outcomes)), None)

    def hints_for(self, check: str, diagnosis: str = "") -> tuple[str, ...]:
        """The hints for a mistake, or else for the check that fails."""
        return self.hints.get(diagnosis) or self.hints.get(check, ())


def first_failure(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The first check that fails; None if none does."""
    return next((each for each in verdicts if each.outcome in ("fail", "error")), None)


def signature(verdicts: Sequence[Verdict], diagnosis: Diagnosis | None) -> str:
    """What a failure looks like, in one line: the same for the same mistake. "" for no failure."""
    first = first_failure(verdicts)
    if first is None:
        return ""
    what = diagnosis.name if diagnosis else ", ".join(first.signs) or first.happened
    return f"{first.name}: {what}"


def read_guide(path: Path) -> Guide:
    """The guide in a file; an empty one if there is no file. GuideError says what is wrong."""
    if not path.is_file():
        return Guide()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GuideError(f"{path}: {error}") from None
    if unknown := set(table) - {"diagnosis", "hints"}:
        raise GuideError(f"{path}: no such table: {', '.join(sorted(unknown))}")
    rows = tuple(_row(path, row) for row in table.get("diagnosis", []))
    hints = table.get("hints", {})
    for name, steps in hints.items():
        if not _words(steps):
            raise GuideError(f"{path}: the hints for {name} are a list of sentences")
    return Guide(rows, {name: tuple(steps) for name, steps in hints.items()})


def _row(path: Path, row: dict[str, Any]) -> Diagnosis:
    allowed = {each.name for each in fields(Diagnosis)} - {"seen"} | set(SEEN)
    if unknown := set(row) - allowed:
        raise GuideError(f"{path}: {row.get('name')!r} has no key {', '.join(sorted(unknown))}")
    if not row.get("name") or not row.get("cause"):
        raise GuideError(f"{path}: a diagnosis needs a name and a cause: {row}")
    for key in set(LISTS) & set(row):
        if not isinstance(row[key], str) and not _words(row[key]):
            raise GuideError(f"{path}: {row['name']!r}: {key} is a list of words")
    for part in set(SEEN) & set(row):
        if not _pattern(row[part]):
            raise GuideError(f"{path}: {row['name']!r}: {part} = {row[part]!r} is no pattern")
    seen = tuple((part, row.pop(part)) for part in SEEN if part in row)
    lists = {key: row.pop(key) for key in LISTS if key in row}
    return Diagnosis(seen=seen, **{key: _tuple(value) for key, value in lists.items()}, **row)


def _words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _pattern(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _tuple(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
