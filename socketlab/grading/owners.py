"""Whose a file is, by its path: as a platform's convention says it, else as its folders do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from os.path import commonprefix

from socketlab.grading.conventions import (
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
WORDS |= {"copy", "src", "abgabe", "abgaben", "main", "ex"}
APART = r"[\s_\-.()]"
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
    Blackboard says of attempts. `own` is the name of the folder or, if `packed`, of the archive.
    """

    def __init__(
        self,
        own: str,
        packed: bool,
        paths: Iterable[str],
        lab: Lab,
        roster: Roster | None,
        exports: Mapping[str, Said],
        receipts: Mapping[str, Named],
    ) -> None:
        self._own, self._packed, self._roster = own, packed, roster
        self._front, self._back = about(lab)
        self._program = f"labs/{lab.name}.py"
        self._exports, self._receipts = exports, receipts
        self._seen: dict[str, tuple[Person, ...]] = {}
        paths = list(paths)
        self._flat = flat_canvas(paths)
        plain = [path.split("/") for path in paths if not self.said(path)]
        self._prefixes = _shared_prefixes(plain)
        self._around = self._folders_around(plain) if plain else 0
        self._one = self._holds_nobody(plain) if roster else self._is_of_one(plain)
        self._said_any = len(plain) < len(paths)

    def divide(self, by_name: bool) -> bool:
        """Whether this is of many: a platform's convention says so or, `by_name`, plain names."""
        return self._said_any or (by_name and not self._one)

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
            people = self._who(part) or self._who(self._without_prefix(parts, n))
            if people:
                found = {person.id: person for person in people}
                others = filter(None, map(self._exactly, parts[n + 1 :]))
                found |= {other.id: other for other in others}
                return self._owned(parts, n, _one(found, part))
        if self._one and (people := self._container()):
            return Claim("", path, people)
        problem = f"Nobody on the roster has this name. {CORRECT}"
        return Claim(parts[0], path, problem=problem)

    def _unlisted(self, path: str) -> Claim:
        """The first part of the path that is not about the lab, nor around all of it."""
        parts = path.split("/")
        name = self._name(parts[self._around]) if len(parts) > self._around else ""
        if self._one or not name:
            return Claim("", path, (Person(self._own),))
        return self._owned(parts, self._around, Person(name))

    def _owned(self, parts: list[str], n: int, person: Person) -> Claim:
        """The claim of whoever part n of a path names. A number in the next is an attempt."""
        above, rest = "/".join(parts[:n]), "/".join(parts[n + 1 :])
        if not rest and not is_archive(parts[n]):  # files side by side: those of one are one
            return Claim(f"{above}/{person.id}".strip("/"), parts[n], (person,))
        attempt = attempt_number(parts[n + 1]) if len(parts) > n + 2 else 0
        deep = n + 1 + bool(attempt)
        return Claim("/".join(parts[:deep]), rest or parts[n], (person,), attempt=attempt)

    def _without_prefix(self, parts: list[str], n: int) -> str:
        """Part n without what all names beside it begin with, too, as `networks-` in checkouts."""
        return parts[n].removeprefix(self._prefixes.get("/".join(parts[:n]), ""))

    def _who(self, part: str) -> tuple[Person, ...]:
        """Everybody on the roster whom a part of a path names."""
        if part not in self._seen:
            one = self._exactly(part)
            self._seen[part] = (one,) if one else self._roster.mentioned(self._name(part))
        return self._seen[part]

    def _exactly(self, part: str) -> Person | None:
        """Whose name a part of a path is, with or without words about the lab."""
        name = self._name(part)
        return (self._roster.find(stem_of(part)) or self._roster.find(name)) if name else None

    def _container(self) -> tuple[Person, ...]:
        """Whom the name of the archive names; that of a folder must be all of a name."""
        people = self._who(self._own) if self._packed else (self._exactly(self._own),)
        return people if len(people) == 1 and people[0] else ()

    def _holds_nobody(self, paths: Iterable[list[str]]) -> bool:
        """Whether nothing in it names anybody on the roster, so that its own name may."""
        try:
            return not any(self._who(part) for parts in paths for part in parts)
        except RosterError:
            return False

    def _is_of_one(self, paths: Sequence[list[str]]) -> bool:
        """Whether all is one learner's: it has the course's own folders, or is not divided."""
        if sum("/".join(parts[-2:]) == self._program for parts in paths) == 1:
            return True
        heads = {parts[self._around] for parts in paths if len(parts) > self._around + 1}
        loose = {parts[self._around] for parts in paths if len(parts) == self._around + 1}
        packed = {name for name in loose if is_archive(name)}
        divided = any(map(self._name, heads | packed))
        if not divided and any(not self._name(name) for name in loose if _is_python(name)):
            return True  # the program is right in it, with other files beside it
        work = heads | packed | set(filter(_is_python, loose))
        return len({name for each in work if (name := self._name(each))}) <= self._packed

    def _folders_around(self, paths: Sequence[list[str]]) -> int:
        """How many folders are around all of it and name nobody, as in `class/lab-1/ada/...`."""
        depth = 0
        while len({tuple(parts[: depth + 1]) for parts in paths}) == 1:
            inside = [parts[depth + 1 :] for parts in paths]
            folders = {
                parts[0] for parts in inside if len(parts) > 1 or (parts and is_archive(parts[0]))
            }
            named = all(map(self._name, folders)) and len(folders) > 1
            loose = any(len(parts) == 1 and _is_python(parts[0]) for parts in inside)
            if not all(inside) or (self._name(paths[0][depth]) and (loose or not named)):
                break
            depth += 1
        return depth

    def _name(self, part: str) -> str:
        """A part of a path without suffix, and without words in front and behind that are about
        the lab; "" if all are."""
        stem = stem_of(part).strip()[:200]
        return self._back.sub("", self._front.sub("", stem)).strip(" _-.()")


def about(lab: Lab) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What names begin and end with that is about this lab: `lab_1`, `01_echo_server`, `final`."""
    number, *words = lab.name.casefold().split("_")
    known = "|".join(sorted(map(re.escape, WORDS | set(words)), key=len, reverse=True))
    word = rf"(?:(?:{known})(?:{APART}*0*{int(number)})?|{number})"
    front = re.compile(rf"^{APART}*(?:{word}(?:{APART}+|$))+", re.IGNORECASE)
    return front, re.compile(rf"(?:(?:^|{APART}+){word})+{APART}*$", re.IGNORECASE)


def _shared_prefixes(paths: Iterable[list[str]]) -> dict[str, str]:
    """By folder: the words that all names in it begin with, if there are at least three."""
    names: dict[str, set[str]] = {}
    for parts in paths:
        for n, part in enumerate(parts):
            if n + 1 < len(parts) or is_archive(part) or _is_python(part):
                names.setdefault("/".join(parts[:n]), set()).add(part)
    shared = {}
    for above, each in names.items():
        letters = commonprefix(list(each)) if len(each) > 2 else ""  # noqa: RUF071 (letters it is)
        shared[above] = letters[: 1 + max(letters.rfind(end) for end in "-_ ")]
    return shared


def _is_python(name: str) -> bool:
    return name.casefold().endswith(".py")


def _one(found: Mapping[str, Person], text: str) -> Person:
    """The one person among those found. RosterError if there is none, or more than one."""
    people = list({person.id: person for person in found.values()}.values())
    if not people:
        raise RosterError(f"Nobody on the roster is called {text}. {CORRECT}")
    if len(people) > 1:
        ids = " and ".join(sorted(person.id for person in people))
        raise RosterError(f"Its name is about more than one person: {ids}. Rename it.")
    return people[0]
