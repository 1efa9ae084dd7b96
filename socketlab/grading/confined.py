"""Sandboxes without namespaces: limits and Landlock (B), or limits only (C)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from socketlab.grading.uids import am_root
from socketlab.grading.workplace import (
    KEEPER,
    KIT,
    PROCESSES,
    Means,
    Workplace,
    bare_python,
    limits,
    settings,
)
from socketlab.harness.box import Box

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
OLDEST_ABI = 4  # of Landlock: the first that knows TCP
SAFE_ABI = 6  # the first that keeps signals in


def why_no_landlock() -> str:
    """Why the Landlock sandbox does not work here and what to do; "" if it does."""
    if sys.platform != "linux":
        return "Landlock is there on Linux only."
    try:
        import landlockpy
    except ImportError:
        return "The Landlock library is missing: pip install landlockpy."
    abi = landlockpy.abi_version()
    if abi < OLDEST_ABI:
        return f"Landlock of this kernel is too old (ABI {abi}, not {OLDEST_ABI}): use Linux 6.7."
    return ""


def _library() -> str:
    """The folder that the library for Landlock is installed in."""
    import landlockpy

    return str(Path(landlockpy.__file__).parents[1])


def keeps_signals() -> bool:
    """Whether Landlock keeps a program from sending signals to others."""
    import landlockpy

    return bool(landlockpy.abi_version() >= SAFE_ABI)


def means(place: Workplace, *, landlock: bool) -> Means:
    """How a submission is run beside everything else, as a user of its own if that can be."""
    if sys.platform == "win32":
        return Means(place.program)
    python = python_for_others() if place.uid else bare_python()
    uid = place.uid if python else 0
    python = python or bare_python()
    words = [f"folder={place.scratch}", f"uid={uid}"]
    words += limits(PROCESSES if uid else PROCESSES + _processes())
    if landlock:
        words += [f"landlock={_library()}", *(f"read={path}" for path in _readable(python))]
    file = ("read={}",) if landlock else ()
    start = (bare_python(), "-I", "-S", str(KEEPER))
    return Means(place.program, box=Box(python, (*start, *words), file, ()))


def python_for_others() -> str:
    """A Python of this version that any user may run; "" if there is none, or if the kit's files
    are not for others to read."""
    candidates = (bare_python(), f"/usr/bin/{VERSION}", f"/usr/local/bin/{VERSION}")
    if not open_to_all(KEEPER):
        return ""
    return next((path for path in candidates if open_to_all(Path(path))), "")


def open_to_all(path: Path) -> bool:
    """Whether any user can read this file, going by the permissions on the way to it."""
    try:
        path = path.resolve(strict=True)
        return all(each.stat().st_mode & 0o001 for each in path.parents) and bool(
            path.stat().st_mode & 0o004
        )
    except OSError:
        return False


def advice_for_root() -> str:
    """What keeps root from running programs as users of their own; "" if nothing does."""
    if not am_root() or sys.platform == "win32" or python_for_others():
        return ""
    return (
        f"Programs run as root, because others may not read {bare_python()} or {KIT}: "
        "do not grade as root, or install Python and the course where all can read them."
    )


def _processes() -> int:
    """How many threads the user of this process has: the limit counts them, too."""
    mine = [p for p in psutil.process_iter(["uids", "num_threads"]) if _is_mine(p)]
    return sum(process.info["num_threads"] or 1 for process in mine)


def _is_mine(process: psutil.Process) -> bool:
    uids = process.info["uids"]
    return bool(uids and uids.real == os.getuid())


def _readable(python: str) -> Iterator[str]:
    """What a program may read: Python with its library, and what that needs of the system."""
    prefix = Path(python).parent.parent
    library = [str(prefix / name / VERSION) for name in ("lib", "lib64")]
    loaded = map(str, (prefix / "lib").glob("libpython*"))
    system = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", *settings())
    yield from filter(os.path.exists, (python, *library, *loaded, *system))
