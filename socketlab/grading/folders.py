"""A folder of submissions on disk, and when a checkout of git was last committed to.

No link is followed, no pipe is opened, and nothing of a checkout is run: neither its hooks nor
what its configuration names.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from socketlab.grading.archives import DEVICE, LINK
from socketlab.grading.files import (
    File,
    Limits,
    Listing,
    UnreadableError,
    clean_name,
    is_ignored,
    moment,
    shown_name,
    why,
)
from socketlab.grading.submission import Refusal
from socketlab.temporary import own_folder

BARE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
REFERENCE = re.compile(r"ref: (refs/heads/[\w.+@/-]+)")
COMMIT = re.compile(r"[0-9a-f]{40}")
COMMITTER = re.compile(rb"^committer .*> (\d{1,12}) [+-]\d{4}$", re.MULTILINE)
PACKED_REFERENCES = 1 << 20  # bytes of the file that are looked at
GIT_MEMORY, GIT_PATIENCE = "64m", 10.0  # of one allocation; seconds


def list_folder(root: Path, name: str, limits: Limits) -> Listing:
    """What is in a folder and in all folders in it; each name starts with `name`.

    The time of a file in a checkout of git is that of the last commit, which is what its author
    says; of any other, when it was written. A link that stays in the folder is passed over, as
    what it leads to is there anyway.
    """
    walk = _Walk(root, limits)
    walk.into(root, name, None)
    return Listing(tuple(walk.files), tuple(walk.refusals), tuple(walk.folders))


class _Walk:
    """One look at all that is in a folder, in the order of the names."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.files: list[File] = []
        self.refusals: list[Refusal] = []
        self.folders: list[str] = []
        self._root, self._limits = root, limits
        self._left = limits.entries

    def into(self, folder: Path, name: str, committed: datetime | None) -> None:
        """Look at a folder. One that cannot be read is refused."""
        try:
            with os.scandir(folder) as entries:
                found = sorted(islice(entries, self._limits.entries), key=lambda each: each.name)
        except OSError as error:
            self.refusals.append(Refusal("", name, why(error)))
            return
        if any(each.name == ".git" and each.is_dir(follow_symlinks=False) for each in found):
            committed = last_commit(folder / ".git") or committed
        for each in found:
            if folder == self._root:
                self._left = self._limits.entries  # each learner's own
            self._see(each, f"{name}/{each.name}", committed)

    def _see(self, entry: os.DirEntry[str], name: str, committed: datetime | None) -> None:
        if is_ignored(name) or self._left < 0:
            return
        self._left -= 1
        try:
            if self._left < 0:
                raise UnreadableError(f"Only the first {self._limits.entries:,} files are read.")
            self._take(entry, clean_name(name), committed)
        except (UnreadableError, OSError) as error:
            self.refusals.append(Refusal("", shown_name(name), why(error)))

    def _take(self, entry: os.DirEntry[str], name: str, committed: datetime | None) -> None:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            if not self._stays(entry.path):
                raise UnreadableError(LINK)
        elif stat.S_ISDIR(status.st_mode):
            if name.casefold().endswith(".py"):
                self.folders.append(name)
            self.into(Path(entry.path), name, committed)
        elif stat.S_ISREG(status.st_mode):
            when = committed or moment(status.st_mtime)
            path = Path(entry.path)
            self.files.append(File(name, when, partial(read_bytes, path), path))
        else:
            raise UnreadableError(DEVICE)

    def _stays(self, link: str) -> bool:
        target = Path(os.path.realpath(link))  # of a loop: the loop, which is nowhere
        return target.is_relative_to(os.path.realpath(self._root)) and os.path.exists(target)


def open_file(path: Path) -> BinaryIO:
    """A file, open for reading. UnreadableError if it is a link or a pipe, or OSError."""
    file = open(os.open(path, os.O_RDONLY | BARE), "rb")  # noqa: SIM115 (for the caller)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise UnreadableError(DEVICE)
    return file


def read_bytes(path: Path, most: int) -> bytes:
    """Up to `most` bytes of a file. UnreadableError if it is a link or a pipe, or OSError."""
    with open_file(path) as file:
        return file.read(most)


def last_commit(git: Path) -> datetime | None:
    """When the commit that HEAD names was made, in UTC; None if that cannot be told.

    The `git` that reads it has a repository of its own, without a configuration, which borrows
    only the checkout's objects.
    """
    program = shutil.which("git")
    objects = git / "objects"
    with suppress(OSError, UnreadableError, UnicodeError, subprocess.SubprocessError):
        commit = _head(git)
        if program and commit and objects.is_dir() and not objects.is_symlink():
            found = COMMITTER.search(_commit_object(program, objects, commit))
            return moment(int(found[1])) if found else None
    return None


def _head(git: Path) -> str:
    """The commit that is checked out; "" if that cannot be told."""
    head = read_bytes(git / "HEAD", 1000).decode("ascii").strip()
    reference = REFERENCE.fullmatch(head)
    if reference and ".." not in reference[1]:
        try:
            head = read_bytes(git / reference[1], 1000).decode("ascii").strip()
        except OSError:
            head = _packed_reference(git, reference[1])
    return head if COMMIT.fullmatch(head) else ""


def _packed_reference(git: Path, name: str) -> str:
    text = read_bytes(git / "packed-refs", PACKED_REFERENCES).decode("utf-8")
    pairs = (line.split(" ", 1) for line in text.splitlines() if line[:1] not in "#^")
    return next((pair[0] for pair in pairs if pair[1:] == [name]), "")


def _commit_object(git: str, objects: Path, commit: str) -> bytes:
    """What git keeps of a commit; b"" if it cannot be read in bounded memory and time."""
    with own_folder() as folder:
        for part in ("objects", "refs"):
            (folder / part).mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        told = {"GIT_DIR": str(folder), "GIT_OBJECT_DIRECTORY": str(objects.resolve())}
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        env |= told | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        env |= {"GIT_ALLOC_LIMIT": GIT_MEMORY, "GIT_NO_REPLACE_OBJECTS": "1"}
        command = [git, "cat-file", "commit", commit]
        pipes = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": GIT_PATIENCE}
        return subprocess.run(command, cwd=folder, env=env, check=False, **pipes).stdout
