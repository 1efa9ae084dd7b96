"""What every check shares: how long it waits, the steps it took, and how it fails."""

from __future__ import annotations

import math
import time


class Failed(Exception):
    """The program does not do what a check wants: what happened, and the bytes that show it.

    `program` is what the program did meanwhile. What was neither sent nor wanted is not shown.
    `signs` are single words for the diagnosis: what was seen, not what it may mean.
    """

    def __init__(
        self,
        happened: str,
        *,
        steps: tuple[str, ...] = (),
        program: str = "",
        signs: tuple[str, ...] = (),
        sent: bytes | str = "",
        got: bytes | str = "",
        wanted: bytes | str = "",
    ) -> None:
        super().__init__(happened)
        self.happened, self.steps, self.program, self.signs = happened, steps, program, signs
        self.sent = show(sent) if sent else ""
        self.got = show(got) if got or wanted else ""
        self.wanted = show(wanted) if wanted else ""


class Patience:
    """How many seconds the checks wait for a sign of life.

    The first two silences are waited out in full. After them the program is known to hang, and
    each further silence costs a fifth. No check lasts longer than three full silences. A program
    that was found to be busy for nothing `spins`: settling, too, is then given a fifth.
    """

    def __init__(self, silence: float = 5.0) -> None:
        self.full = silence
        self.start = 2 * silence
        self.spins = False
        self.silences = 0  # that were waited out to their end
        self.loss = 8 * silence  # what failing checks may take before the rest is not worth it
        self._check_ends = math.inf

    @property
    def silence(self) -> float:
        """How long the next silence may last."""
        return self.full if self.silences < 2 else self.full / 5

    def begin_check(self) -> None:
        """A check begins: its time starts now."""
        self._check_ends = time.monotonic() + 3 * self.full

    def deadline(self) -> float:
        """When (on the monotonic clock) a silence that begins now has lasted too long."""
        return min(time.monotonic() + self.silence, self._check_ends)

    @property
    def over(self) -> bool:
        """Whether the check lasts so long that even a slow program that answers is stopped."""
        return time.monotonic() > self._check_ends + 3 * self.full

    def silence_was_full(self) -> None:
        """A deadline has passed."""
        self.silences += 1


class Steps:
    """What a check did, in order; of a long story the first and the last few steps."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, text: str) -> None:
        """One more step."""
        self._lines.append(text)

    def forget(self) -> None:
        """What comes now stands for itself: forget what was done before."""
        self._lines.clear()

    def lines(self) -> tuple[str, ...]:
        """The numbered steps; a long story loses its middle."""
        numbered = [f"{n}. {line}" for n, line in enumerate(self._lines, 1)]
        if len(numbered) > 14:
            numbered[5:-8] = ["..."]
        return tuple(numbered)


def show(data: bytes | str) -> str:
    """Bytes for a reader: the literal, the hex of a few unprintable ones, long ones shortened.

    A string is shown as it is.
    """
    if isinstance(data, str):
        return data
    if not data:
        return "nothing"
    size = f"{len(data):,} byte{'s' * (len(data) != 1)}"
    if len(repr(data)) > 60:
        return f"{_fitting(data, 36)} ... {data[-4:]!r} ({size})"
    printable = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data)
    bare = printable or len(data) > 8
    return f"{data!r} ({size})" if bare else f"{data!r} ({size}, hex {data.hex(' ')})"


def _fitting(data: bytes, width: int) -> str:
    """The longest beginning of `data` whose literal is at most `width` characters wide."""
    return repr(next(data[:n] for n in range(width, 0, -1) if len(repr(data[:n])) <= width))


def agreeing(got: bytes, wanted: bytes) -> int:
    """How many bytes at the beginning of both are the same."""
    pairs = enumerate(zip(got, wanted, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(got), len(wanted)))


def difference(got: bytes, wanted: bytes, came: str = "came back") -> str:
    """Where `got` first departs from `wanted`, in words; "" if it is a beginning of it. `came` is
    what the bytes did."""
    at = agreeing(got, wanted)
    if at == len(got):
        return ""
    if at == len(wanted):
        return f"{len(got) - at} more bytes {came} than wanted"
    return f"byte {at} {came} as {got[at : at + 1]!r}, wanted was {wanted[at : at + 1]!r}"
