"""What learners handed in, once it has been found: programs as bytes, and what was refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the roster; with no roster, whoever a submission's name speaks of.

    `columns` are the roster's other columns, as they are in its file.
    """

    id: str
    name: str = ""
    email: str = ""
    section: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One program as it was handed in.

    `student` is a Person's id, `source` the bytes of the file, `name` the path they were found
    at, with "/" between its parts and with the archive in front. `handed_in` is in UTC, None if
    nobody knows; attempts count from 1. `notes` are sentences for the instructor, such as that
    the file had another name.
    """

    student: str
    source: bytes
    name: str
    handed_in: datetime | None = None
    attempt: int = 1
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the program, in hex."""
        return hashlib.sha256(self.source).hexdigest()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that was handed in and is not graded, and why: `reason` says what to do.

    `student` is "" if nobody could tell whose it is.
    """

    student: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """All that is known before anything is graded. `people` come in the roster's order; those
    with no submission and no refusal have not handed in."""

    people: tuple[Person, ...]
    submissions: tuple[Submission, ...]
    refusals: tuple[Refusal, ...] = ()
