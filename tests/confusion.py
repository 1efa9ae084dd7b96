"""The confusion table: which diagnosis each mutant gets, beside the one that it should get.

python tests/confusion.py [WORD ...]: all mutants, or those whose file's name contains a word.
Exit code 1 if one of them is diagnosed as something else, or as nothing where it should be.
"""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from test_labs import LABS, MUTANTS, diagnosed, mistake_of, run

from socketlab.harness.guide import first_failure
from socketlab.words import aligned

Row = tuple[str, str, str, str]  # mutant, its first failing check, what it should be, what it is


def row_of(path: Path) -> Row:
    """Run the checks on a mutant."""
    verdicts = run(path)
    caught = first_failure(verdicts)
    should = mistake_of(path).get("Diagnosed as", "(it does not say)")
    return path.stem, caught.name if caught else "-", should, diagnosed(path, verdicts)


def table(rows: list[Row]) -> str:
    """The rows of one lab, those that differ marked, and a line with their sum."""
    marked = [(*row, "" if row[2] == row[3] else "<- differs") for row in rows]
    head = ("mutant", "caught by", "should be diagnosed as", "is diagnosed as", "")
    return f"{aligned([head, *marked])}\n{summary(rows)}"


def summary(rows: list[Row]) -> str:
    """How many of how many are right, how many names share them, and what is taken for what."""
    wrong = Counter((should, got) for *_, should, got in rows if should != got)
    names = {got for *_, got in rows} - {"nothing"}
    unsaid = sum(got == "nothing" for *_, got in rows)
    lines = [
        f"{len(rows) - wrong.total()} of {len(rows)} as they should be; "
        f"{len(names)} diagnoses, {unsaid} mutants without one"
    ]
    lines += [f"  {n} x {should!r} taken for {got!r}" for (should, got), n in wrong.items()]
    return "\n".join(lines)


def main() -> None:
    """Print a table for each lab, and the sum."""
    words = sys.argv[1:] or [""]
    chosen = [path for path in MUTANTS if any(word in path.name for word in words)]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(row_of, chosen))
    for lab in LABS:
        if mine := [row for row in rows if row[0][:2] == lab.name[:2]]:
            print(f"{lab.title}\n\n{table(mine)}\n")
    print(f"All labs: {summary(rows)}")
    sys.exit(any(should != got for *_, should, got in rows))


if __name__ == "__main__":
    main()
