"""Finds what learners handed in, as it comes: folders, files, archives, bulk downloads, mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from socketlab.grading.archives import list_archive
from socketlab.grading.choice import Choice, choose
from socketlab.grading.containers import (
    WORK,
    Container,
    Gathered,
    Group,
    Groups,
    is_metadata,
    is_needed,
    opened,
    owners_of,
)
from socketlab.grading.files import (
    Budget,
    File,
    Limits,
    Listing,
    UnreadableError,
    is_archive,
    moment,
    stem_of,
)
from socketlab.grading.folders import list_folder, read_bytes
from socketlab.grading.owners import Claim
from socketlab.grading.roster import Roster
from socketlab.grading.submission import Found, Refusal, Submission
from socketlab.learner import Lab

DEFAULT = Limits()
NEVER = datetime.min.replace(tzinfo=UTC)
UNDATED = "Nothing tells which attempt came last: they are in the order of their names."
TOGETHER = "Handed in together with {}."


class PlaceError(ValueError):
    """There is nothing where submissions should be; the message says where."""


def find_submissions(
    places: Sequence[Path], lab: Lab, roster: Roster | None = None, limits: Limits = DEFAULT
) -> Found:
    """All that was handed in for a lab at these folders, files and archives, in a fixed order.

    Whose something is comes from names that platforms and instructors give to files; with no
    roster the ids are these names. What cannot be graded, or has no one owner, is among the
    refusals. Raises PlaceError.
    """
    finder = _Finder(lab, roster, limits)
    for place in places:
        finder.look_at(Path(place))
    return finder.found()


class _Finder:
    """Looks at one place after another and keeps what it finds."""

    def __init__(self, lab: Lab, roster: Roster | None, limits: Limits) -> None:
        self._lab, self._roster, self._limits = lab, roster, limits
        self._people = {person.id: person for person in roster.people} if roster else {}
        self._attempts: dict[str, list[Submission]] = {}  # attempt 0: its number is not known
        self._refusals: list[Refusal] = []

    def look_at(self, place: Path) -> None:
        """Find what is at a path. Raises PlaceError."""
        name = place.name or place.resolve().name
        if place.is_dir():
            self._take(Container(name, name, list_folder(place, name, self._limits), 0))
        elif not place.is_file():
            raise PlaceError(f"There is no file or folder {place}. Look at its name.")
        elif is_archive(name):
            with open(place, "rb") as stream:
                listing = list_archive(stream, name, self._limits, is_needed)
                self._take(Container(name, stem_of(name), listing, 1))
        else:
            real, own = place.resolve(), place.absolute().parent.name
            when = moment(real.stat().st_mtime)
            file = File(f"{own}/{name}", when, partial(read_bytes, real), real)
            self._take(Container(own, own, Listing((file,)), 0))

    def _take(self, container: Container) -> None:
        """Find what is in a folder or an archive."""
        owners, damaged = owners_of(container, self._lab, self._roster)
        groups = Groups(container, owners)
        for file in container.listing.files:
            path = container.inside(file.name)
            if not is_metadata(path):
                claim = owners.claim(path)
                if not self._is_stray(path, claim) and not self._is_bulk(container, file, claim):
                    groups.add(file, claim)
        for folder in container.listing.folders:
            groups.add_folder(folder)
        for refusal in container.listing.refusals:
            groups.add_refusal(refusal)
        self._refusals += damaged + groups.refusals
        for group in groups:
            self._conclude(group, container.depth)

    def _is_stray(self, path: str, claim: Claim) -> bool:
        """Whether a file is not somebody's work, as a table or a page that lies beside it."""
        known = claim.platform or (self._roster and not claim.problem)
        return not known and "/" not in path and not path.casefold().endswith(WORK)

    def _is_bulk(self, container: Container, file: File, claim: Claim) -> bool:
        """Whether a file was an archive of many submissions; then they have been found."""
        known = claim.platform or (self._roster and not claim.problem)
        if known or container.depth or not is_archive(file.name):
            return False
        try:
            with opened(file, self._limits, Budget(self._limits.total)) as listing:
                inner = Container(file.name, stem_of(file.name), listing, container.depth + 1)
                owners, _ = owners_of(inner, self._lab, self._roster)
                is_bulk = owners.divide(bool(self._roster))
                if is_bulk:
                    self._take(inner)
                return is_bulk
        except UnreadableError:
            return False  # who looks for the program in it says so

    def _conclude(self, group: Group, depth: int) -> None:
        """Choose the program of a submission, or say why there is none."""
        claim = group.claim
        if claim.problem:
            self._refusals.append(Refusal("", group.name, claim.problem))
            return
        gathered = Gathered(group, depth, self._limits)
        try:
            self._keep(claim, choose(gathered.candidates, gathered.others, self._lab))
        except UnreadableError as error:
            if gathered.candidates or gathered.others or not gathered.refusals:
                gathered.refusals.append(Refusal("", group.name, str(error)))
        for person in claim.people:
            self._people.setdefault(person.id, person)
            told = [replace(refusal, student=person.id) for refusal in gathered.refusals]
            self._refusals += told

    def _keep(self, claim: Claim, chosen: Choice) -> None:
        """Note an attempt for each of those who handed it in."""
        program = chosen.program
        when = claim.when if claim.platform else program.when
        for person in claim.people:
            others = ", ".join(other.id for other in claim.people if other.id != person.id)
            notes = (*claim.notes, *chosen.notes, *([TOGETHER.format(others)] if others else []))
            told = {"handed_in": when, "attempt": claim.attempt, "notes": notes}
            submission = Submission(
                student=person.id, source=program.source, name=program.path, **told
            )
            self._attempts.setdefault(person.id, []).append(submission)

    def found(self) -> Found:
        """All of it: people in the order of the roster, or of their ids."""
        people = list(self._people.values())
        if not self._roster:
            people.sort(key=lambda person: person.id)
        order = {person.id: n for n, person in enumerate(people)}
        counted = [
            each for person in people for each in _counted(self._attempts.get(person.id, []))
        ]
        refusals = dict.fromkeys(self._refusals)
        ordered = sorted(
            refusals, key=lambda r: (order.get(r.student, len(order)), r.name, r.reason)
        )
        return Found(tuple(people), tuple(counted), tuple(ordered))


def _counted(attempts: Sequence[Submission]) -> list[Submission]:
    """One person's attempts in their order: by number if all have one, else by time, else name."""
    numbers = {each.attempt for each in attempts} - {0}
    if len(numbers) == len(attempts):
        return sorted(attempts, key=lambda each: each.attempt)
    ordered = sorted(attempts, key=lambda each: (each.handed_in or NEVER, each.attempt, each.name))
    unclear = len({each.handed_in for each in attempts}) < len(attempts)
    notes = (UNDATED,) if unclear else ()
    return [
        replace(each, attempt=number, notes=each.notes + notes)
        for number, each in enumerate(ordered, 1)
    ]
