"""Where one submission is graded: a folder of its own, a user of its own, and limits."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from socketlab.grading.uids import own_uid
from socketlab.harness.box import Box
from socketlab.harness.runner import Wrap
from socketlab.temporary import own_folder

MIB = 1 << 20
KIT = Path(__file__).parents[1]  # the package
KEEPER = KIT / "harness" / "keeper.py"
DISK = 64 * MIB  # bytes that a program may write, in all its files
MEMORY = 1536 * MIB  # bytes that its processes may have together
PROCESSES = 256  # threads count, too; fifty clients with a thread each are not many
LIMITS = {
    "RLIMIT_AS": 4096 * MIB,  # addresses: a hundred threads reserve much and use little
    "RLIMIT_DATA": 1024 * MIB,
    "RLIMIT_FSIZE": DISK,
    "RLIMIT_NOFILE": 1024,
    "RLIMIT_CORE": 0,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
}
SETTINGS = tuple(
    f"/etc/{name}"
    for name in (
        "alternatives",
        "gai.conf",
        "host.conf",
        "hosts",
        "ld.so.cache",
        "localtime",
        "nsswitch.conf",
        "protocols",
        "services",
    )
)


@dataclass(frozen=True, slots=True)
class Workplace:
    """A folder with the program in it. `uid` is the user whose the program is, 0 for our own."""

    folder: Path
    program: Path
    uid: int

    @property
    def scratch(self) -> Path:
        """Where the program may write, if it has no file system of its own."""
        return self.folder / "scratch"


@dataclass(frozen=True, slots=True)
class Means:
    """How a submission is run: where its program is then, what is put around pytest's command,
    and where each program is started."""

    program: Path
    wrap: Wrap | None = None
    box: Box | None = None


@contextmanager
def workplace(source: bytes, name: str) -> Iterator[Workplace]:
    """A place for this program, in a file of this name. Nothing is left of it."""
    with own_folder() as folder, own_uid() as uid:
        place = Workplace(folder, folder / "program" / name, uid)
        folder.chmod(0o755)
        place.program.parent.mkdir()
        place.program.write_bytes(source)
        place.scratch.mkdir(mode=0o700)
        if uid:
            os.chown(place.scratch, uid, uid)
        yield place


def limits(processes: int = PROCESSES) -> list[str]:
    """The keeper's words for the limits of a program."""
    together = [f"memory={MEMORY}", f"disk={DISK}"]
    return [
        *together,
        *(f"{name}={n}" for name, n in (LIMITS | {"RLIMIT_NPROC": processes}).items()),
    ]


def bare_python() -> str:
    """Python without the environment that the kit is installed in."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def settings() -> list[str]:
    """The files of the system that a program may need: names of hosts, libraries, the time."""
    return [path for path in SETTINGS if os.path.exists(path)]


def packages() -> list[str]:
    """The folders of bare_python() with what has been installed there."""
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    paths = {sysconfig.get_path(kind, vars=base) for kind in ("purelib", "platlib")}
    debian = "/usr/lib/python3/dist-packages"
    return sorted(path for path in {*paths, debian} if path and os.path.isdir(path))
