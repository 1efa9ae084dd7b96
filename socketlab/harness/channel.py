"""The way that verdicts take from the process that finds them to the one that asked for them."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any


class Channel:
    """A file that has no name, so that nobody else can open it (on Windows: one in `folder`).

    `where` tells the writer what to write to; `given` are the options with which it is started.
    """

    def __init__(self, folder: Path) -> None:
        self.given: dict[str, Any] = {}
        if sys.platform == "win32":
            self._file = open(folder / "verdicts", "w+b")  # noqa: SIM115
            self.where = str(folder / "verdicts")
            return
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self.where = str(self._file.fileno())
        self.given = {"pass_fds": [self._file.fileno()]}

    def text(self) -> str:
        """All that has been written so far; a character that is cut in two is left out."""
        number = self._file.fileno()
        size = os.fstat(number).st_size
        if sys.platform != "win32":
            return os.pread(number, size, 0).decode(
                "utf-8", "ignore"
            )  # the offset is the writer's
        self._file.seek(0)
        return self._file.read().decode("utf-8", "ignore")

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
