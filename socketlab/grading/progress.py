"""How far a batch is, in one line of a terminal; nothing at all where there is none."""

from __future__ import annotations

from types import TracebackType
from typing import TextIO

from socketlab.grading.batch import Progress

CLEAR = "\r\33[K"


def progress_text(now: Progress) -> str:
    """The line: `37 of 120 graded, 21 a minute, about 4 min left`."""
    parts = [f"{now.known + now.done} of {now.total} graded"]
    if now.rate and now.done > 1:
        parts.append(f"{_rounded(60 * now.rate)} a minute")
    if now.left and now.done > 1:
        parts.append(f"about {_lasting(now.left)} left")
    return ", ".join(parts)


def _rounded(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"


def _lasting(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class ProgressLine:
    """Shows each progress in place of the one before; the line is gone when this is left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()

    def show(self, now: Progress) -> None:
        """Show this instead."""
        if self._shown:
            print(f"{CLEAR}{progress_text(now)} ", end="", file=self._stream, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            print(CLEAR, end="", file=self._stream, flush=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
