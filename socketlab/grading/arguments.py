"""The words of the instructor's commands, as argparse wants them."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

Run = Callable[[argparse.Namespace], int]
Parser = argparse.ArgumentParser
Commands = Any  # argparse has no public name for it

BOOK = "gradebook.sqlite"
LONGEST = 24 * 3660  # hours
GRADE = f"""Grade every submission of a lab, and write a page for each learner, a page of the
class, and the files that learning platforms take. What has been graded is kept in OUT/{BOOK} and
is not graded again."""
EXIT_CODES = """Exit codes: 0 all that was handed in and not refused is graded; 2 wrong usage, or
something cannot be read, written or reached; 3 the grader itself failed for some, who have no
points for it; 130 Ctrl-C: the same command goes on where it stopped."""
MERGE = """Put the gradebooks of several shares together. All or nothing; the shares are only
read."""
MERGE_CODES = """Exit codes: 0 done; 2 wrong usage, or a gradebook cannot be used; 3 done, and two
shares disagree: the first is kept, and the others are named."""


def add_parsers(commands: Commands, run: Mapping[str, Run]) -> None:
    """Add a parser for each command; `run` has what each does, by its name."""
    for name, (words, add, more) in COMMANDS.items():
        parser = commands.add_parser(name, help=words, **more)
        add(parser)
        parser.set_defaults(run=run[name])


def _grade(parser: Parser) -> None:
    _lab(parser)
    words = "a folder, a file, an archive, or a platform's bulk download"
    parser.add_argument("places", nargs="+", type=Path, metavar="PLACE", help=words)
    parser.add_argument("--roster", type=Path, metavar="FILE", help="the class, as CSV")
    _out(parser)
    _running(parser)
    _rules(parser)


def _regrade(parser: Parser) -> None:
    _lab(parser)
    _out(parser)
    _running(parser)


def _lab(parser: Parser) -> None:
    parser.add_argument("lab", help="its number or name: 1, 01, 01_echo_server")


def _out(parser: Parser) -> None:
    words = f"for pages, tables and {BOOK} (default: %(default)s)"
    where = {"type": Path, "default": Path("results"), "metavar": "FOLDER"}
    parser.add_argument("--out", **where, help=words)


def _running(parser: Parser) -> None:
    how = parser.add_argument_group("how")
    add = how.add_argument
    words = "so many side by side (default: %(default)s, one for each processor)"
    add("--workers", type=_count, default=os.cpu_count() or 1, metavar="N", help=words)
    words = "on the machines of a Dask cluster: tcp://HOST:PORT"
    add("--cluster", default="", metavar="ADDRESS", help=words)
    words = "only one share of the class, such as 2/3; see merge"
    add("--shard", default="1/1", metavar="I/N", help=words)
    words = "stop if there is none so good"
    add("--require-sandbox", choices=["A", "B", "C"], default="", help=words)
    add("--seed", type=int, default=1, help="of random data (default: %(default)s)")
    words = "seconds that one submission may take (default: %(default)g)"
    add("--deadline", type=_seconds, default=180.0, metavar="SECONDS", help=words)


def _rules(parser: Parser) -> None:
    add = parser.add_argument_group("late rules; each is kept until another is given").add_argument
    words = 'when it was due, in local time: "2026-11-30 23:59"; none: nothing is late'
    add("--due", help=words)
    add("--grace", type=_hours, metavar="HOURS", help="so late is not late")
    add("--per-day", type=_percent, metavar="PERCENT", help="lost for each day begun")
    add("--cap", type=_percent, metavar="PERCENT", help="no more than this is lost")
    add("--attempts", choices=["best", "last"], help="which attempt counts")


def _gradebook(parser: Parser) -> None:
    _lab(parser)
    _out(parser)


def _override(parser: Parser) -> None:
    _lab(parser)
    parser.add_argument("student", help="the id, as the gradebook shows it")
    parser.add_argument("points", type=float, help="in the place of what the checks gave")
    parser.add_argument("--reason", required=True, help="the learner reads it")
    _out(parser)


def _extend(parser: Parser) -> None:
    _lab(parser)
    parser.add_argument("student", help="the id, as the gradebook shows it")
    parser.add_argument("hours", type=float, help="in the place of those given before; 0: none")
    parser.add_argument("--reason", required=True, help="kept in the gradebook")
    _out(parser)


def _merge(parser: Parser) -> None:
    words = "a share's --out, or its gradebook"
    parser.add_argument("sources", nargs="+", type=Path, metavar="SHARE", help=words)
    _out(parser)


def _handout(parser: Parser) -> None:
    words = "where to: a folder that is empty or not there"
    parser.add_argument("folder", type=Path, help=words)


COMMANDS: dict[str, tuple[str, Callable[[Parser], None], dict[str, str]]] = {
    "grade": ("grade a class", _grade, {"description": GRADE, "epilog": EXIT_CODES}),
    "regrade": ("grade again after a check was mended", _regrade, {"epilog": EXIT_CODES}),
    "gradebook": ("show the grades of a class", _gradebook, {}),
    "override": ("give points by hand, with a reason", _override, {}),
    "extend": ("give a learner more time, with a reason", _extend, {}),
    "merge": ("put shares together", _merge, {"description": MERGE, "epilog": MERGE_CODES}),
    "handout": ("make the learners' copy of the course", _handout, {}),
    "similar": ("report programs that are alike", _gradebook, {}),
}


def _number(text: str, most: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what} from 0 to {most:g}")
    return number


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 1000")
    return int(text)


def _seconds(text: str) -> float:
    if not (seconds := _number(text, 86400, "number of seconds")):
        raise argparse.ArgumentTypeError("nothing can be graded in 0 seconds")
    return seconds


def _hours(text: str) -> timedelta:
    return timedelta(hours=_number(text, LONGEST, "number of hours"))


def _percent(text: str) -> float:
    return _number(text, 100, "percentage") / 100
