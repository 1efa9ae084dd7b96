"""Feeds what reads other people's bytes with bytes that are nearly right, for some minutes:

    python tests/fuzz.py verdicts|archives|roster --minutes 10 [--seed 1]

A reader may refuse anything, in its own way; any other exception, a broken promise or a case
that takes longer than a second is a find: the case is shown, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from socketlab.harness.verdicts import (
    BrokenStreamError,
    Verdict,
    final_line,
    read_verdict,
    read_verdicts,
    verdict_line,
)

sys.path[:0] = [str(Path(__file__).parent)]

LONGEST_CASE = 1.0  # seconds
Case = object


@dataclass(frozen=True)
class Target:
    """What is fuzzed: a maker of cases, and a test of one: whether it was accepted."""

    make: Callable[[random.Random], Case]
    test: Callable[[Case], bool]


# Bytes that are nearly right

ODD_BYTES = (
    b"",
    b"\0",
    b"\n",
    b"\r",
    b'"',
    b"\\",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"9" * 40,
)


def spoilt(rng: random.Random, data: bytes) -> bytes:
    """The data after up to four changes: cut, doubled, moved or odd pieces, other bits."""
    for _ in range(rng.randint(0, 4)):
        begin, end = sorted(rng.randint(0, len(data)) for _ in range(2))
        piece = data[begin : min(end, begin + rng.choice((1, 8, 1 << 20)))]
        data = rng.choice(
            (
                data[:begin] + data[begin + len(piece) :],
                data[:begin] + piece + data[begin:],
                data[:begin] + rng.choice(ODD_BYTES) + data[begin + len(piece) :],
                data[:begin] + rng.randbytes(len(piece) % 16) + data[begin + len(piece) :],
                data[:end] + piece + data[end:],
                data[:begin],
            )
        )
    return data


ODD_VALUES = (
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    "",
    "pass",
    "\ud800",
    [],
    [[]],
    {},
    {"end": 1},
    float("nan"),
)


def other_value(rng: random.Random, value: object) -> object:
    """The JSON value with one place in it changed."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.8:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = rng.choice(places)
        copy = dict(value) if isinstance(value, dict) else list(value)
        if rng.random() < 0.15:
            del copy[place]
        else:
            copy[place] = other_value(rng, copy[place])
        return copy
    return rng.choice(ODD_VALUES)


# Verdicts


def made_verdict(rng: random.Random) -> Verdict:
    """A verdict of any outcome, with any text."""
    texts = ("", "a text", "\0 \x1b[2J", "é €", '"}\n{"end": 1}', "\u2028", "x" * 300)
    values = {each.name: rng.choice(texts) for each in fields(Verdict)}
    for name in ("steps", "signs"):
        values[name] = tuple(rng.choices(texts, k=rng.randint(0, 3)))
    return Verdict(**values | {"outcome": rng.choice(("pass", "fail", "skip", "error"))})


def verdict_stream(rng: random.Random) -> bytes:
    """A stream of verdicts in which something may be wrong."""
    lines = [verdict_line(made_verdict(rng)) for _ in range(rng.randint(0, 4))]
    lines.append(final_line(len(lines) + rng.choice((0, 0, 0, 1, -1))))
    if rng.random() < 0.5:
        at = rng.randrange(len(lines))
        lines[at] = json.dumps(other_value(rng, json.loads(lines[at]))) + "\n"
    if rng.random() < 0.05:
        lines.insert(0, rng.choice(("[", '{"verdict":')) * 100_000 + "\n")
    data = "".join(lines).encode()
    return spoilt(rng, data) if rng.random() < 0.5 else data


def test_verdicts(case: Case) -> bool:
    """Verdicts of exactly the right types come out, those that went in; or BrokenStreamError."""
    assert isinstance(case, bytes)
    lines = case.decode(errors="replace").splitlines(keepends=True)
    for line in lines:
        with contextlib.suppress(BrokenStreamError):
            check_verdict(read_verdict(line))
    try:
        found = read_verdicts(lines)
    except BrokenStreamError:
        return False
    for verdict in found:
        check_verdict(verdict)
    again = [*map(verdict_line, found), final_line(len(found))]
    assert read_verdicts(again) == found
    for cut in range(len(again)):
        try:
            read_verdicts(again[:cut])
        except BrokenStreamError:
            continue
        raise AssertionError(f"a stream without its last {len(again) - cut} lines was accepted")
    return True


def check_verdict(verdict: Verdict) -> None:
    """All its parts are of the types that it promises, and can be written."""
    assert verdict.outcome in ("pass", "fail", "skip", "error")
    for each in fields(Verdict):
        value = getattr(verdict, each.name)
        texts = value if each.name in ("steps", "signs") else (value,)
        assert type(texts) is tuple
        assert all(type(text) is str for text in texts)
        "".join(texts).encode("utf-8")


TARGETS = {"verdicts": Target(verdict_stream, test_verdicts)}


# The loop


def fuzz(target: Target, seconds: float, seed: int) -> str:
    """Test cases until the time is over. Returns the figures; raises what a case raised."""
    began, number, accepted, slowest = time.monotonic(), 0, 0, 0.0
    while time.monotonic() - began < seconds:
        number += 1
        case = target.make(random.Random(f"{seed} {number}"))
        case_began = time.process_time()
        try:
            accepted += target.test(case)
            slowest = max(slowest, time.process_time() - case_began)
            assert slowest < LONGEST_CASE, f"it took {slowest:.1f} seconds"
        except Exception:
            print(f"case {number} of seed {seed}: {case!r:.2000}", flush=True)
            raise
    return f"{number:,} cases, {accepted:,} accepted, the slowest in {slowest * 1000:.0f} ms"


def main() -> int:
    """0 if nothing was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    try:
        told = fuzz(TARGETS[words.target], words.minutes * 60, words.seed)
    except Exception:
        traceback.print_exc()
        return 1
    print(f"{words.target}, seed {words.seed}: {told}: nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
