"""Feeds what reads other people's bytes with bytes that are nearly right, for some minutes:

    python tests/fuzz.py verdicts|archives|roster --minutes 10 [--seed 1]

A reader may refuse anything, in its own way; any other exception, a broken promise or a case
that takes longer than a second is a find: the case is shown, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback

from fuzz_targets import TARGETS, Target

LONGEST_CASE = 1.0  # seconds of CPU time


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
