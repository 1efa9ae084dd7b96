"""Names and files for what is given back: safe on every system, whole or not there at all."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

LONGEST = 60  # characters
# Windows keeps these for devices, with any extension and in any case.
DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class Names:
    """Gives each text a file name of its own: ASCII, no device of Windows, no two that differ in
    case only. A text that is such a name keeps it; any other gets a digest behind it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, text: str) -> str:
        """The name for this text; the same text again gets another."""
        plain = re.sub(r"[^\w.@+-]+", "_", text, flags=re.ASCII).strip("._-")[:LONGEST]
        plain = plain.rstrip("._-") or "student"
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        wanted = [] if plain != text or DEVICE.fullmatch(plain) else [plain]
        start = f"_{plain}" if DEVICE.fullmatch(plain) else plain
        wanted += [f"{start}-{digest[:length]}" for length in (8, 64)]
        return self._take(next((n for n in wanted if n.casefold() not in self._taken), wanted[-1]))

    def _take(self, name: str) -> str:
        free, count = name, 1
        while free.casefold() in self._taken:
            count += 1
            free = f"{name}-{count}"
        self._taken.add(free.casefold())
        return free


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file (UTF-8, line ends as written) that is at `path` only once the block has ended
    well; until then, what was there before stays."""
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "w", encoding="utf-8", newline="") as stream:
            yield stream
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def write(path: Path, text: str) -> Path:
    """Write a whole file at once; returns its path."""
    with replacing(path) as stream:
        stream.write(text)
    return path
