"""What a program writes: read to the end so that it never blocks, kept only in part."""

from __future__ import annotations

import os
import threading
from typing import IO

KEEP = 16 * 1024  # bytes of the beginning, and as many of the end


class Output(threading.Thread):
    """Reads a pipe until every writer has closed it; keeps the first and last KEEP bytes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe, self._head, self._tail, self._size = pipe, b"", b"", 0
        self._patience = 1.0  # seconds
        self.start()

    def run(self) -> None:
        """Read until the end of the stream."""
        with self._pipe:
            while data := os.read(self._pipe.fileno(), 65536):
                room = KEEP - len(self._head)
                self._head += data[:room]
                self._tail = (self._tail + data[room:])[-KEEP:]
                self._size += len(data)

    def wait_end(self) -> None:
        """Wait a moment for the last words of a program that has ended. Only once: a process that
        it has left behind may keep the pipe open."""
        self.join(self._patience)
        self._patience = 0.0

    def text(self) -> str:
        """What was kept, as text; a line between the two pieces says how much is left out."""
        lost = self._size - len(self._head) - len(self._tail)
        gap = f"\n... {lost:,} bytes are left out here ...\n".encode() if lost > 0 else b""
        return (self._head + gap + self._tail).decode(errors="backslashreplace")
