"""Whose a file is, by its path: as a platform's convention says it, else as its folders do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from socketlab.grading.conventions import (
    METADATA,
    Named,
    Said,
    attempt_number,
    blackboard,
    canvas,
    flat_canvas,
    moodle,
)
from socketlab.grading.files import is_archive, stem_of
from socketlab.grading.roster import Roster, RosterError
from socketlab.grading.submission import Person
from socketlab.learner import Lab

# Words of names that are about the work, not about who did it.
WORDS = {"lab", "labs", "exercise", "exercises", "assignment", "assignments", "task", "homework"}
WORDS |= {"hw", "submission", "submissions", "solution", "final", "code", "program", "project"}
WORDS |= {"copy", "src", "abgabe", "abgaben", "main"}
CORRECT = "Correct the name, or add the person to the roster."


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose a file is. `group` is the path that all files of its submission have in common, and
    `rest` the file's own name; `problem` says why it is nobody's."""

    group: str
    rest: str
    people: tuple[Person, ...] = ()
    problem: str = ""
    attempt: int = 0
    when: datetime | None = None
    platform: bool = False
    notes: tuple[str, ...] = ()


class Owners:
    """Tells whose the files of one folder or archive are.

    `paths` are all that are in it, `exports` what Gradescope says of folders, `receipts` what
    Blackboard says of attempts. `own` is the name of the folder or archive itself.
    """

    def __init__(
        self,
        own: str,
        paths: Iterable[str],
        lab: Lab,
        roster: Roster | None,
        exports: Mapping[str, Said],
        receipts: Mapping[str, Named],
    ) -> None:
        self._own, self._roster, self._words = own, roster, words_of(lab)
        self._exports, self._receipts = exports, receipts
        paths = list(paths)
        self._flat = flat_canvas(paths)
        self._inside = self._names_somebody(path for path in paths if not self.said(path))

    def claim(self, path: str) -> Claim:
        """Whose a file is; RosterErrors and contradictions are among the claim's problems."""
        said = self.said(path)
        try:
            if said:
                return self._platform(said, path)
            return self._listed(path) if self._roster else self._unlisted(path)
        except RosterError as error:
            return Claim(path.partition("/")[0], path, problem=str(error), platform=bool(said))

    def said(self, path: str) -> Said | None:
        """What a platform's convention says; `group` is a path, `rest` the learner's own name."""
        parts = path.split("/")
        for n, part in enumerate(parts):
            above, below = "/".join(parts[:n]), "/".join(parts[n + 1 :])
            said = self._exports.get(f"{above}/{part}".strip("/")) or moodle(part)
            said = said or blackboard(part)
            if not said and not below and above in self._flat:
                said = canvas(part)
            if said:
                group = f"{above}/{said.group}".strip("/")
                return replace(said, group=group, rest=below or said.rest or part)
        return None

    def _platform(self, said: Said, path: str) -> Claim:
        named = said.people
        if told := self._receipts.get(said.group):
            named = (told,)
        people = tuple(self._somebody(each) for each in named)
        about = {"attempt": 0, "when": said.when, "platform": True, "notes": said.notes}
        return Claim(said.group, said.rest, people, **about)

    def _somebody(self, named: Named) -> Person:
        """Who is meant. RosterError if nobody, or if not all that is said is about one person."""
        if not self._roster:
            return named.person
        found: dict[str, Person] = {}
        for text in named.texts:
            if any(longer.endswith(f"_{text}") for longer in found):
                continue  # `smith` says nothing more than `jo_smith`
            try:
                person = self._roster.find(text)
            except RosterError:
                if not found:
                    raise
                continue  # the id is clear, the name is not
            if person:
                found[text] = person
        return _one(found, " or ".join(map(repr, named.texts)))

    def _listed(self, path: str) -> Claim:
        """The first part of the path that names somebody on the roster."""
        parts = path.split("/")
        for n, part in enumerate(parts):
            if people := self._who(_stem(part)):
                found = {person.id: person for person in people}
                for deeper in parts[n + 1 :]:
                    if other := self._exactly(_stem(deeper)):
                        found[other.id] = other
                person = _one(found, part)
                return self._owned(parts, n, person)
        if not self._inside and (people := self._container()):
            return Claim("", path, people)
        problem = f"Nobody on the roster is called so. {CORRECT}"
        return Claim(parts[0], path, problem=problem)

    def _unlisted(self, path: str) -> Claim:
        """The first part of the path that is not about the lab."""
        parts = path.split("/")
        for n, part in enumerate(parts):
            name = self._about_nothing_else(_stem(part))
            if name and self._inside:
                return self._owned(parts, n, Person(name))
        return Claim("", path, (Person(self._own),))

    def _owned(self, parts: list[str], n: int, person: Person) -> Claim:
        """The claim of whoever part n of a path names. A number in the next is an attempt."""
        above, rest = "/".join(parts[:n]), "/".join(parts[n + 1 :])
        if not rest and not is_archive(parts[n]):  # files side by side: those of one are one
            return Claim(f"{above}/{person.id}".strip("/"), parts[n], (person,))
        attempt = attempt_number(parts[n + 1]) if len(parts) > n + 2 else 0
        deep = n + 1 + bool(attempt)
        return Claim("/".join(parts[:deep]), rest or parts[n], (person,), attempt=attempt)

    def _who(self, stem: str) -> tuple[Person, ...]:
        """Everybody that a part of a path names."""
        if not (name := self._about_nothing_else(stem)):
            return ()
        one = self._exactly(stem) or self._exactly(name)
        return (one,) if one else self._roster.mentioned(name) if self._roster else ()

    def _exactly(self, stem: str) -> Person | None:
        return self._roster.find(stem) if self._roster and self._about_nothing_else(stem) else None

    def _container(self) -> tuple[Person, ...]:
        people = self._who(self._own)
        return people if len(people) == 1 else ()

    def _names_somebody(self, paths: Iterable[str]) -> bool:
        """Whether the paths name people, so that the folder's or archive's own name need not."""
        named = set()
        for path in paths:
            stems = [_stem(part) for part in path.split("/")]
            if self._roster:
                try:
                    named |= {1 for stem in stems if self._who(stem)}
                except RosterError:
                    named.add(1)
            else:
                named |= {name for stem in stems[:1] if (name := self._about_nothing_else(stem))}
        return bool(named)

    def _about_nothing_else(self, stem: str) -> str:
        """A name without words in front and behind that are about the lab; "" if all are."""
        pieces = re.split(r"([\s_\-.()]+)", stem)
        while pieces and (not pieces[0].strip(" _-.()") or pieces[0].casefold() in self._words):
            del pieces[0]
        while pieces and (not pieces[-1].strip(" _-.()") or pieces[-1].casefold() in self._words):
            del pieces[-1]
        return "".join(pieces)


def words_of(lab: Lab) -> frozenset[str]:
    """Words of names that are about this lab."""
    number, *words = lab.name.casefold().split("_")
    numbers = (number, number.lstrip("0"))
    numbered = {f"{word}{digits}" for word in ("lab", "ex", "hw", "l") for digits in numbers}
    return frozenset(WORDS | {number} | set(words) | numbered)


def _stem(part: str) -> str:
    return stem_of(part).strip()


def _one(found: Mapping[str, Person], text: str) -> Person:
    people = list({person.id: person for person in found.values()}.values())
    if not people:
        raise RosterError(f"Nobody on the roster is called {text}. {CORRECT}")
    if len(people) > 1:
        ids = " and ".join(sorted(person.id for person in people))
        raise RosterError(f"Its name is about more than one person: {ids}. Rename it.")
    return people[0]


def is_metadata(path: str) -> bool:
    """Whether a file is what Gradescope says of the folders beside it."""
    return path.rpartition("/")[2] == METADATA
