"""A folder or an archive with submissions in it: whose its files are, and what each handed in."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from socketlab.grading.archives import list_archive
from socketlab.grading.choice import Candidate
from socketlab.grading.conventions import (
    LARGEST_METADATA,
    METADATA,
    Named,
    Said,
    blackboard,
    gradescope,
    receipt,
)
from socketlab.grading.files import (
    OTHER_PACKS,
    TARS,
    ZIPS,
    Budget,
    File,
    Limits,
    Listing,
    UnreadableError,
    is_archive,
)
from socketlab.grading.folders import open_file
from socketlab.grading.owners import Claim, Owners
from socketlab.grading.roster import Roster
from socketlab.grading.submission import Refusal
from socketlab.learner import Lab

LARGEST_RECEIPT = 1 << 16  # bytes
WORK = (
    ".py",
    ".ipynb",
    ".txt",
    ".doc",
    ".docx",
    ".odt",
    ".pdf",
    ".rtf",
    *ZIPS,
    *TARS,
    *OTHER_PACKS,
)
DEEP = "It is an archive in an archive in an archive. Unpack it, and hand in the program."


@dataclass(frozen=True, slots=True)
class Container:
    """A folder or an archive. All names in it start with `path`; `own` is its name without
    suffix, `depth` how many archives it is in, itself among them."""

    path: str
    own: str
    listing: Listing
    depth: int

    def inside(self, name: str) -> str:
        """A name as seen from within."""
        return name.removeprefix(self.path).lstrip("/")


@dataclass(slots=True)
class Group:
    """The files of one submission, each with its name on the learner's machine."""

    name: str
    claim: Claim
    files: list[tuple[File, str]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


class Groups:
    """The groups of a container, in the order in which they are met."""

    def __init__(self, container: Container, owners: Owners) -> None:
        self._container, self._owners = container, owners
        self._groups: dict[tuple[str, bool], Group] = {}
        self.refusals: list[Refusal] = []  # of what is nobody's

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def add(self, file: File, claim: Claim) -> None:
        """Put a file to the others of its submission."""
        self._of(claim).files.append((file, claim.rest))

    def add_folder(self, name: str) -> None:
        """Put a folder that is named as a program is to the files beside it."""
        self._of(self._owners.claim(self._container.inside(name))).folders.append(name)

    def add_refusal(self, refusal: Refusal) -> None:
        """Put a refusal to the group that it is about, which knows whose it is."""
        path = self._container.inside(refusal.name)
        claim = self._owners.claim(path) if path else None
        if claim and not claim.problem:
            self._of(claim).refusals.append(refusal)
        else:
            self.refusals.append(refusal)

    def _of(self, claim: Claim) -> Group:
        name = "/".join(filter(None, (self._container.path, claim.group)))
        group = self._groups.setdefault((claim.group, bool(claim.problem)), Group(name, claim))
        if set(claim.notes) - set(group.claim.notes):  # who is late with one file is late
            group.claim = replace(group.claim, notes=group.claim.notes + claim.notes)
        return group


def is_needed(name: str) -> bool:
    """Whether the bytes of a file may be looked at, by its name."""
    last = name.rpartition("/")[2].casefold()
    return last.endswith((".py", ".txt")) or last == METADATA or is_archive(last)


def owners_of(
    container: Container, lab: Lab, roster: Roster | None
) -> tuple[Owners, list[Refusal]]:
    """Whose the files are, by what platforms left beside them, too; and what of it is damaged."""
    exports: dict[str, Said] = {}
    receipts: dict[str, Named] = {}
    refusals = []
    paths = []
    for file in container.listing.files:
        path = container.inside(file.name)
        try:
            if is_metadata(path):
                exports |= _export(file, path)
            else:
                paths.append(path)
                receipts |= _receipt(file, path)
        except UnreadableError as error:
            refusals.append(Refusal("", file.name, str(error)))
    packed = container.depth > 0
    return Owners(container.own, packed, paths, lab, roster, exports, receipts), refusals


def is_metadata(path: str) -> bool:
    """Whether a file is what Gradescope says of the folders beside it."""
    return path.rpartition("/")[2] == METADATA


def _export(file: File, path: str) -> dict[str, Said]:
    above = path.rpartition("/")[0]
    told = gradescope(file.read(LARGEST_METADATA, Budget(LARGEST_METADATA)))
    return {f"{above}/{name}".lstrip("/"): said for name, said in told.items()}


def _receipt(file: File, path: str) -> dict[str, Named]:
    above, _, last = path.rpartition("/")
    said = blackboard(last) if last.endswith(".txt") else None
    if not said or said.rest:
        return {}
    named = receipt(file.read(LARGEST_RECEIPT, Budget(LARGEST_RECEIPT)).decode("utf-8", "replace"))
    return {f"{above}/{said.group}".lstrip("/"): named} if named else {}


@contextmanager
def opened(file: File, limits: Limits, budget: Budget) -> Iterator[Listing]:
    """What is in an archive that is a file on disk or in an archive. UnreadableError."""
    with ExitStack() as streams:
        if file.path:
            stream: BinaryIO = streams.enter_context(_on_disk(file))
        else:
            stream = io.BytesIO(file.read(limits.archive, budget))
        yield list_archive(stream, file.name, limits, is_needed)


def _on_disk(file: File) -> BinaryIO:
    assert file.path
    try:
        return open_file(file.path)
    except OSError as error:
        raise UnreadableError(f"It cannot be read: {error.strerror}.") from None


class Gathered:
    """All that is in one submission, archives in it unpacked: what may be the program."""

    def __init__(self, group: Group, depth: int, limits: Limits) -> None:
        self.candidates: list[Candidate] = []
        self.others: list[str] = [f"{folder}/" for folder in group.folders]
        self.refusals = list(group.refusals)
        self._limits, self._budget, self._left = limits, Budget(limits.total), limits.entries
        self._add(group.files, depth)

    def _add(self, files: Sequence[tuple[File, str]], depth: int) -> None:
        for file, rest in files:
            self._left -= 1
            if self._left < 0:
                break  # list_archive and list_folder have said so, or it is of no use
            try:
                self._take(file, rest, depth)
            except UnreadableError as error:
                self.refusals.append(Refusal("", file.name, str(error)))

    def _take(self, file: File, rest: str, depth: int) -> None:
        if is_archive(rest):
            self._unpack(file, depth + 1)
        elif rest.casefold().endswith(".py"):
            source = file.read(self._limits.entry, self._budget)
            self.candidates.append(Candidate(file.name, rest, source, file.when))
        else:
            self.others.append(file.name)

    def _unpack(self, file: File, depth: int) -> None:
        if depth > self._limits.depth:
            raise UnreadableError(DEEP)
        with opened(file, self._limits, self._budget) as listing:
            self.refusals += listing.refusals
            self.others += [f"{folder}/" for folder in listing.folders]
            inner = [(each, each.name.removeprefix(f"{file.name}/")) for each in listing.files]
            self._add(inner, depth)
