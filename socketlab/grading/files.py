"""Files as they are handed in: their names, how much of them may be read, and what they hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from socketlab.grading.submission import Refusal

ZIPS = (".zip",)
TARS = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
OTHER_PACKS = (".rar", ".7z", ".zst", ".gz", ".bz2", ".xz", ".lzma", ".z")
SUFFIXES = sorted((*ZIPS, *TARS, *OTHER_PACKS, ".py", ".ipynb"), key=len, reverse=True)
PORTS = (f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))
DEVICES = frozenset({"con", "prn", "aux", "nul", *PORTS})
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # of text's direction
LESS = "Hand in only the program."
OLDEST = 2000  # the year before which a time is taken for that of a clock that was not set
LONGEST_NAME, MOST_FOLDERS = 1000, 40
IGNORED = frozenset({".git", "__pycache__", ".ipynb_checkpoints", "__macosx", ".ds_store"})
IGNORED |= {".venv", "venv", ".idea", ".vscode", ".pytest_cache", "node_modules", "thumbs.db"}


class UnreadableError(Exception):
    """Something is not read; the text is the reason, and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What reading may cost. Sizes are in bytes, after unpacking.

    `entries` in one archive, or in one folder of the first level; `entry` of one program,
    `archive` of an archive that is inside another, `total` of all that is read for one learner
    (or out of one tar), `ratio` of unpacked to packed, `depth` of archives in archives.
    """

    entries: int = 20_000
    entry: int = 1 << 20
    archive: int = 64 << 20
    total: int = 256 << 20
    ratio: int = 200
    depth: int = 2


@dataclass(slots=True)
class Budget:
    """How many bytes may still be read."""

    left: int

    def spend(self, size: int) -> None:
        """Take size bytes from it; UnreadableError when it is used up."""
        self.left -= size
        if self.left < 0:
            raise UnreadableError(
                "There is more in it than may be read. Hand in only the program."
            )


@dataclass(frozen=True, slots=True)
class File:
    """A file by its path, with "/" between the parts. `when` it was written is in UTC, if known;
    `reader` gives up to so many of its bytes."""

    name: str
    when: datetime | None
    reader: Callable[[int], bytes] = field(repr=False, compare=False)

    def read(self, most: int, budget: Budget) -> bytes:
        """All of it. UnreadableError if it has more than `most` bytes, or cannot be read."""
        try:
            data = self.reader(max(min(most, budget.left), 0) + 1)
        except Exception as error:  # hostile bytes make libraries raise almost anything
            raise UnreadableError(why(error)) from None
        budget.spend(len(data))
        if len(data) > most:
            raise UnreadableError(
                f"It is larger than {shown_size(most)}. Hand in only the program."
            )
        return data


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in an archive or a folder. `folders` are those whose names end with .py."""

    files: tuple[File, ...]
    refusals: tuple[Refusal, ...] = ()
    folders: tuple[str, ...] = ()


def is_archive(name: str) -> bool:
    """Whether a file is an archive of a kind that is read, by its name."""
    return name.casefold().endswith(ZIPS + TARS)


def is_ignored(path: str) -> bool:
    """Whether a path leads into what tools leave behind, as __pycache__ and .git."""
    parts = path.casefold().split("/")
    return not IGNORED.isdisjoint(parts) or parts[-1].startswith("._")


def stem_of(name: str) -> str:
    """The last part of a path without .py, .zip, .tar.gz and the like."""
    last = name.rpartition("/")[2]
    return next((last[: -len(end)] for end in SUFFIXES if last.casefold().endswith(end)), last)


def clean_name(name: str) -> str:
    """A path with "/" between its parts and none that is odd; UnreadableError says what is."""
    path = name.replace("\\", "/")
    if path.startswith("/") or (path[1:2] == ":" and path[0].isalpha()):
        raise UnreadableError("Its name is an absolute path, which leads elsewhere. Rename it.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnreadableError('Its name has ".." in it, which leads elsewhere. Rename it.')
    if not parts or len(name) > LONGEST_NAME or len(parts) > MOST_FOLDERS:
        raise UnreadableError("Its name is empty or far too long. Rename it.")
    if any(letter in TURNS or unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise UnreadableError("Its name has characters that are no text. Rename it.")
    if any(part.split(".")[0].strip().casefold() in DEVICES for part in parts):
        raise UnreadableError("Its name is one that Windows keeps for a device. Rename it.")
    return "/".join(parts)


def moment(seconds: float) -> datetime | None:
    """A time in UTC from seconds since 1970; None if it cannot be when something was written."""
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return when if when.year >= OLDEST else None


def shown_name(name: str) -> str:
    """A name that may be anything, as it can be shown: odd characters as escapes, and short."""
    odd = [c in TURNS or not c.isprintable() for c in name[:200]]
    return "".join(ascii(c)[1:-1] if is_odd else c for c, is_odd in zip(name, odd, strict=False))


def shown_size(size: int) -> str:
    """A number of bytes, as it can be shown."""
    return f"{size / (1 << 20):.3g} MiB" if size >= 1 << 20 else f"{size:,} bytes"


def why(error: Exception) -> str:
    """The reason that something cannot be read, and what to do."""
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"It cannot be read here: {error.strerror}. Make it readable, and grade again."
    kind = type(error).__name__
    return f"It is damaged, cut short, or not what its name says ({kind}). Ask for it again."
