"""Feeds what reads other people's bytes with bytes that are nearly right, for some minutes:

    python tests/fuzz.py verdicts|archives|roster --minutes 10 [--seed 1]

A reader may refuse anything, in its own way; any other exception, a broken promise or a case
that takes longer than a second is a find: the case is shown, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
import traceback
from collections.abc import Iterable

from fuzz_targets import TARGETS, Target

LONGEST_CASE = 1.0  # seconds of CPU time


def fuzz(target: Target, seed: int, numbers: Iterable[int]) -> str:
    """Test the cases of these numbers. Returns the figures; raises what a case raised."""
    count, accepted, slowest = 0, 0, 0.0
    for count in numbers:
        case = target.make(random.Random(f"{seed} {count}"))
        began = time.process_time()
        try:
            accepted += target.holds(case)
            slowest = max(slowest, time.process_time() - began)
            assert slowest < LONGEST_CASE, f"it took {slowest:.1f} seconds"
        except Exception:
            print(f"case {count} of seed {seed}: {case!r:.2000}", flush=True)
            raise
    return f"{count:,} cases, {accepted:,} accepted, the slowest in {slowest * 1000:.0f} ms"


def main() -> int:
    """0 if nothing was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    end = time.monotonic() + words.minutes * 60
    numbers = itertools.takewhile(lambda _: time.monotonic() < end, itertools.count(1))
    try:
        told = fuzz(TARGETS[words.target], words.seed, numbers)
    except Exception:
        traceback.print_exc()
        return 1
    print(f"{words.target}, seed {words.seed}: {told}: nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
