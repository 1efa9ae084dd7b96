"""The gradebooks of several shares of a class as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from socketlab.grading.gradebook import Gradebook, GradebookError
from socketlab.grading.result import Result
from socketlab.grading.submission import Person, Submission


class Key(NamedTuple):
    """What a result is the result of."""

    lab: str
    student: str
    digest: str
    checks: str
    grader: str

    def __str__(self) -> str:
        return f"{self.student!r} in {self.lab}, program {self.digest[:12]}"


@dataclass(slots=True)
class Merged:
    """What came of a merge: so many results `taken`, so many that were there already (`same`),
    and those that say something else than one that was there, which was kept. `other_rules` are
    labs whose sources have other rules than those kept."""

    taken: int = 0
    same: int = 0
    contradicting: list[Key] = field(default_factory=list)
    other_rules: list[str] = field(default_factory=list)


def merge(sources: Sequence[Path], into: Path) -> Merged:
    """Put all that is in the sources into the gradebook `into`, made if it is not there.

    All or nothing, and the sources are only read. Of two that disagree, `into` comes first, then
    the sources in their order. GradebookError if one of them cannot be used.
    """
    merged = Merged()
    with ExitStack() as stack:
        for path in sources:
            _refuse_itself(path, into)
        books = [stack.enter_context(Gradebook(path, untouched=True)) for path in sources]
        target = stack.enter_context(Gradebook(into))
        with target.store.transaction():
            for book in books:
                _add(book, target, merged)
    return merged


def _refuse_itself(source: Path, into: Path) -> None:
    with suppress(OSError):
        if source.samefile(into):
            raise GradebookError(
                f"{source} is the gradebook to merge into: name another folder for it."
            )


def _add(source: Gradebook, target: Gradebook, merged: Merged) -> None:
    for lab in source.labs():
        _add_class(source, target, lab, merged)
        _add_submissions(source, target, lab)
    for student, result in source.results():
        _add_result(target, student, result, merged)
    for table, decision in source.decisions():
        target.decided(table, decision)


def _add_class(source: Gradebook, target: Gradebook, lab: str, merged: Merged) -> None:
    rules = target.rules(lab) if lab in target.labs() else source.rules(lab)
    if rules != source.rules(lab) and lab not in merged.other_rules:
        merged.other_rules.append(lab)
    people = united(target.people(lab), source.people(lab))
    refusals = tuple(dict.fromkeys(target.refusals(lab) + source.refusals(lab)))
    target.list_class(lab, rules, people, refusals)


def united(first: Iterable[Person], second: Iterable[Person]) -> list[Person]:
    """The people of both, in the order of both: who is new comes after the one that they follow
    in their own list. Of two with one id the first counts, unless only its id is known."""
    people = list(first)
    order = [person.id for person in people]
    place = 0
    for person in second:
        if person.id not in order:
            order.insert(place, person.id)
            people.insert(place, person)
        place = order.index(person.id) + 1
        if people[place - 1] == Person(person.id):
            people[place - 1] = person
    return people


def _add_submissions(source: Gradebook, target: Gradebook, lab: str) -> None:
    place = sum(1 for _ in target.submissions(lab))
    for submission in source.submissions(lab):
        handed_in = target.submissions(lab, submission.student)
        if _same(submission) not in map(_same, handed_in):
            target.submit(lab, place, submission)
            place += 1
    for submission in source.earlier_submissions(lab):
        if submission not in target.submissions(lab, submission.student):
            target.submit(lab, None, submission)


def _same(submission: Submission) -> tuple[object, ...]:
    """What makes it the same submission, though it lay in another folder."""
    return (submission.source, submission.handed_in, submission.attempt)


def _add_result(target: Gradebook, student: str, result: Result, merged: Merged) -> None:
    if target.take(student, result):
        merged.taken += 1
        return
    kept = target.find(student, result)
    if result.status == "broken" or kept == replace(result, seconds=kept.seconds):
        merged.same += 1
    else:
        key = (result.lab, student, result.digest, result.checks, result.grader)
        merged.contradicting.append(Key(*key))
