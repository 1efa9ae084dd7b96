"""Temporary folders that are gone in the end, also those of a process that was killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PREFIX = "socketlab-run-"


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder for temporary files; in the end it is removed with all that is in it.

    A process that is killed leaves its folders. The next process of the same user that calls this
    removes them (not on Windows): each folder is locked while somebody has it, and the kernel
    gives the locks of a process back, however it ends (flock(2)).
    """
    _remove_left_over(tempfile.gettempdir())
    folder, lock = _locked_folder()
    try:
        yield folder
    finally:
        _remove(folder)
        if lock >= 0:
            os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder, whatever a program has made in it: deep, or closed to its owner."""
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if os.name == "posix" and folder.exists():
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, str(folder)], stderr=subprocess.DEVNULL, check=False)


def _locked_folder() -> tuple[Path, int]:
    """A new folder and the descriptor that locks it, -1 where that cannot be done."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            lock = _lock(folder)
        except (BlockingIOError, FileNotFoundError):  # somebody takes it for left over
            continue
        except OSError:  # no locks here
            return folder, -1
        if folder.exists():  # nobody was quicker
            return folder, lock
        os.close(lock)


@cache  # once is enough: what is left later, the next process removes
def _remove_left_over(place: str) -> None:
    """Remove the folders in `place` that are this user's and nobody's at work any more."""
    for folder in Path(place).glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _lock(folder)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    _remove(folder)
            finally:
                os.close(lock)


def _lock(folder: Path) -> int:
    """A descriptor that holds the lock of a folder. BlockingIOError if another has it; another
    OSError if it is no folder (a link is none), or where a folder has no lock."""
    if sys.platform == "win32":
        raise OSError("Folders have no locks on Windows.")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
