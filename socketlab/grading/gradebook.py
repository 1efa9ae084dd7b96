"""The gradebook: what was handed in, every result, and what an instructor decided. Only added to.

A result belongs to a learner, a lab, the program's digest, that of the checks and the version of
the grader; so a batch that was stopped goes on where it was, and a mended check is graded anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from socketlab.grading.plain import from_json, to_json
from socketlab.grading.policy import Attempt, Extension, Rules, grade_of, judge
from socketlab.grading.result import Grade, Override, Result
from socketlab.grading.storage import GradebookError, Mode, Store, damaged, opened
from socketlab.grading.submission import Found, Person, Refusal, Submission

__all__ = ["Gradebook", "GradebookError"]

Value = TypeVar("Value")

KEY = "lab = ? AND student = ? AND digest = ? AND checks = ? AND grader = ?"
ADD = f"""INSERT OR IGNORE INTO results (lab, student, digest, checks, grader, broken, body)
    SELECT ?, ?, ?, ?, ?, ?, ? WHERE NOT (? AND EXISTS (SELECT 1 FROM results WHERE {KEY}))"""
FIND = f"SELECT body FROM results WHERE {KEY} ORDER BY broken"
HAS = f"SELECT 1 FROM results WHERE {KEY} AND NOT broken"
LATEST = """SELECT body FROM results WHERE lab = ? AND student = ? AND digest = ?
    ORDER BY (checks = ?) * 2 + (grader = ?) DESC, id DESC LIMIT 1"""
ANY = """SELECT body FROM results WHERE lab = ?
    ORDER BY (checks = ?) * 2 + (grader = ?) DESC, NOT broken DESC, id DESC LIMIT 1"""
SUBMIT = """INSERT INTO submissions (lab, place, student, digest, body) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (lab, student, digest, body) DO UPDATE SET place = excluded.place"""
SUBMISSIONS = "SELECT body, source FROM submissions JOIN sources USING (digest) WHERE lab = ? "
PLACED = "AND place IS NOT NULL ORDER BY place, id"


class Gradebook:
    """The gradebook at `path`, to be used in `with`; one to write is made if it is not there.

    One process writes at a time; with `read_only`, many may read, while another writes too. With
    `untouched` as well, not even what a killed writer left beside the file is tidied up.
    GradebookError, here and from each method, says what is wrong and what to do.
    """

    def __init__(self, path: Path, read_only: bool = False, untouched: bool = False) -> None:
        self.path = Path(path)
        self.read_only = read_only or untouched
        self._mode: Mode = "untouched" if untouched else "read" if read_only else "write"
        self._open = ExitStack()
        self._store: Store | None = None

    def __enter__(self) -> Gradebook:
        self._store = self._open.enter_context(opened(self.path, self._mode))
        return self

    def __exit__(self, *_: object) -> None:
        self._store = None
        self._open.close()

    @property
    def store(self) -> Store:
        """The file, for what is done with whole gradebooks."""
        if self._store is None:
            raise GradebookError(f"The gradebook {self.path} is not open: use it in `with`.")
        return self._store

    # What was handed in

    def begin(self, lab: str, found: Found, rules: Rules) -> None:
        """A search for the submissions of a lab is done: from now on, this is the class and what
        counts. Results, and submissions that were found before, stay in the file."""
        with self._writing().transaction():
            self.list_class(lab, rules, tuple(_everybody(found)), found.refusals)
            self.store.write("UPDATE submissions SET place = NULL WHERE lab = ?", lab)
            for place, submission in enumerate(found.submissions):
                self.submit(lab, place, submission)

    def list_class(
        self, lab: str, rules: Rules, people: Sequence[Person], refusals: Sequence[Refusal]
    ) -> None:
        """Put these in the place of what was known, in a transaction of the caller's."""
        self.store.write("INSERT OR REPLACE INTO labs VALUES (?, ?)", lab, to_json(rules))
        self._list("people", lab, [(person.id, person) for person in people])
        self._list("refusals", lab, [(each.student, each) for each in refusals])

    def _list(self, table: str, lab: str, values: Sequence[tuple[str, object]]) -> None:
        self.store.write(f"DELETE FROM {table} WHERE lab = ?", lab)
        for place, (student, value) in enumerate(values):
            row = (lab, place, student, to_json(value))
            self.store.write(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?, ?)", *row)

    def submit(self, lab: str, place: int | None, submission: Submission) -> None:
        """Keep a submission, None for one that does not count any more, in a transaction of the
        caller's. Programs with the same bytes are kept once."""
        digest, body = submission.digest, to_json(submission, leave="source")
        insert = "INSERT OR IGNORE INTO sources VALUES (?, ?)"
        self.store.write(insert, digest, submission.source)
        self.store.write(SUBMIT, lab, place, submission.student, digest, body)

    def labs(self) -> tuple[str, ...]:
        """The names of the labs that have been begun, sorted."""
        rows = self.store.rows("SELECT lab FROM labs ORDER BY lab")
        return tuple(lab for (lab,) in rows)

    def rules(self, lab: str) -> Rules:
        """The rules of the latest search."""
        row = self.store.row("SELECT rules FROM labs WHERE lab = ?", lab)
        if not row:
            raise self._unknown_lab(lab)
        return self._made(Rules, row[0])

    def people(self, lab: str) -> tuple[Person, ...]:
        """The class, in the roster's order."""
        return tuple(self._values(Person, "people", lab))

    def refusals(self, lab: str) -> tuple[Refusal, ...]:
        """What the latest search refused."""
        return tuple(self._values(Refusal, "refusals", lab))

    def submissions(self, lab: str, student: str = "") -> Iterator[Submission]:
        """What the latest search found, in its order; each is read when it is asked for. With
        `student`, only that learner's."""
        query = SUBMISSIONS + "AND student = ? " * bool(student) + PLACED
        yield from self._submissions(query, lab, *[student] * bool(student))

    def earlier_submissions(self, lab: str) -> Iterator[Submission]:
        """What only searches before the latest found."""
        yield from self._submissions(SUBMISSIONS + "AND place IS NULL ORDER BY id", lab)

    def _submissions(self, query: str, *values: str) -> Iterator[Submission]:
        for body, source in self.store.rows(query, *values):
            yield self._made(Submission, body, source=source)

    # Results

    def has(self, student: str, lab: str, digest: str, checks: str, grader: str) -> bool:
        """Whether there is a result; one of a grader that failed itself is none."""
        return self.store.row(HAS, lab, student, digest, checks, grader) is not None

    def find(self, student: str, result: Result) -> Result | None:
        """The result that is kept of the same program, checks and grader."""
        row = self.store.row(FIND, *_key(student, result))
        return self._made(Result, row[0]) if row else None

    def add(self, student: str, result: Result) -> None:
        """Keep a result: it is on the disk when this returns. A second one of the same program,
        checks and grader is ignored, unless it is the first that the grader did not fail in."""
        self.take(student, result)

    def take(self, student: str, result: Result) -> bool:
        """Keep a result, as `add` does; whether it was not ignored."""
        key, broken = _key(student, result), result.status == "broken"
        return self._writing().write(ADD, *key, broken, to_json(result), broken, *key) == 1

    def results(self) -> Iterator[tuple[str, Result]]:
        """Every learner's id and result, of all labs, in the order they were added; each is read
        when it is asked for."""
        for student, body in self.store.rows("SELECT student, body FROM results ORDER BY id"):
            yield student, self._made(Result, body)

    # What an instructor decided

    def override(self, given: Override) -> None:
        """Keep points given by hand; the latest counts, whatever is graded later."""
        if not _is_number(given.points) or given.points < 0:
            raise GradebookError(f"Points are a number from 0 on, not {given.points}.")
        if not given.reason.strip():
            raise GradebookError("Say why these points are given: the reason is empty.")
        if given.when.utcoffset() is None:
            raise GradebookError(f"The time of an override has a zone; {given.when} has none.")
        self._decide("overrides", given)

    def extend(self, given: Extension) -> None:
        """Keep more time for one learner; the latest counts, they do not add up."""
        self._decide("extensions", given)

    def _decide(self, table: str, given: Override | Extension) -> None:
        self._writing()
        self._known(given.student, given.lab)
        self.decided(table, given)

    def decided(self, table: str, given: Override | Extension) -> None:
        """Keep what has been decided, of whomever; the very same decision once."""
        insert = f"INSERT OR IGNORE INTO {table} (lab, student, body) VALUES (?, ?, ?)"
        self.store.write(insert, given.lab, given.student, to_json(given))

    def decisions(self) -> Iterator[tuple[str, Override | Extension]]:
        """All overrides and extensions with the name of their table, in the order given."""
        for table, kind in (("overrides", Override), ("extensions", Extension)):
            for (body,) in self.store.rows(f"SELECT body FROM {table} ORDER BY id"):
                yield table, self._made(kind, body)

    def _known(self, student: str, lab: str) -> None:
        """GradebookError if nobody with this id is in the lab's class."""
        self.rules(lab)
        if self.store.row("SELECT 1 FROM people WHERE lab = ? AND student = ?", lab, student):
            return
        people = {
            key: person.id
            for person in self._values(Person, "people", lab)
            for key in (person.id, person.name, person.email)
        }
        raise GradebookError(
            f"Nobody in the class of {lab} has the id {student!r}. {_near(student, people)}"
        )

    def _unknown_lab(self, lab: str) -> GradebookError:
        near = _near(lab, {name: name for name in self.labs()})
        return GradebookError(f"The gradebook {self.path} has no lab {lab!r}. {near}")

    # Grades

    def grades(self, lab: str, checks: str = "", grader: str = "") -> Iterator[Grade]:
        """The grade of each in the class, in the roster's order, missing and refused ones too;
        each is read when it is asked for.

        Of each attempt the latest result is taken, first one of these checks and this grader.
        """
        rules = self.rules(lab)
        row = self.store.row(ANY, lab, checks, grader)
        out_of = self._made(Result, row[0]).out_of if row else 0
        for person in self._values(Person, "people", lab):
            yield grade_of(
                person,
                lab,
                rules,
                self._attempts(person.id, lab, rules, checks, grader),
                out_of=out_of,
                override=self._latest(Override, "overrides", person.id, lab),
                refusals=tuple(self._values(Refusal, "refusals", lab, person.id)),
            )

    def _attempts(self, student: str, lab: str, rules: Rules, *version: str) -> list[Attempt]:
        extension = self._latest(Extension, "extensions", student, lab)
        attempts = []
        for submission in self.submissions(lab, student):
            row = self.store.row(LATEST, lab, student, submission.digest, *version)
            result = self._made(Result, row[0]) if row else None
            attempts.append(judge(rules, submission, result, extension.hours if extension else 0))
        return attempts

    def _latest(self, kind: type[Value], table: str, student: str, lab: str) -> Value | None:
        values = self._values(kind, table, lab, student)
        return max(reversed(list(values)), key=lambda value: value.when, default=None)

    # Rows

    def _writing(self) -> Store:
        if self.read_only:
            raise GradebookError(f"The gradebook {self.path} has been opened for reading only.")
        return self.store

    def _values(self, kind: type[Value], table: str, lab: str, student: str = "") -> Iterator:
        """The values in a table of a lab, in order; with `student`, only those of one."""
        query = f"SELECT body FROM {table} WHERE lab = ?"
        query += " AND student = ?" * bool(student) + f" ORDER BY {ORDER[table]}"
        for (body,) in self.store.rows(query, lab, *[student] * bool(student)):
            yield self._made(kind, body)

    def _made(self, kind: type[Value], body: bytes, **more: object) -> Value:
        try:
            return from_json(kind, body, **more)
        except ValueError as error:
            raise damaged(self.path, str(error)) from None


ORDER = {"people": "place", "refusals": "place", "overrides": "id", "extensions": "id"}


def _key(student: str, result: Result) -> tuple[str, ...]:
    return (result.lab, student, result.digest, result.checks, result.grader)


def _everybody(found: Found) -> Iterator[Person]:
    """The people, then any that handed in something and are not among them."""
    yield from found.people
    known = {person.id for person in found.people}
    for handed_in in (*found.submissions, *found.refusals):
        if handed_in.student and handed_in.student not in known:
            known.add(handed_in.student)
            yield Person(handed_in.student)


def _near(text: str, known: Mapping[str, str]) -> str:
    """Which of the `known` texts may be meant, as what stands for it."""
    lower = {key.casefold(): key for key in known if key}
    near = get_close_matches(text.casefold(), lower, n=3, cutoff=0.5)
    names = list(dict.fromkeys(known[lower[key]] for key in near))
    if names:
        return f"Near: {', '.join(names)}."
    return f"There are: {', '.join(list(dict.fromkeys(known.values()))[:5]) or 'none'}."


def _is_number(value: object) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and math.isfinite(value)  # type: ignore[arg-type]
