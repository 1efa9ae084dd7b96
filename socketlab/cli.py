"""The command `socketlab`: words typed by a person, turned into calls."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from socketlab.harness.guide import GuideError
from socketlab.harness.report import MARKS
from socketlab.harness.runner import ChecksError
from socketlab.harness.verdicts import Verdict
from socketlab.learner import UnknownLabError, check, find_lab, hint, progress
from socketlab.watch import is_terminal, watch

if TYPE_CHECKING:
    from socketlab.figures import Picture

LEARNERS = {"check", "timeline", "hint", "list", "figures"}
PASSED, FAILED, USAGE, BROKEN, INTERRUPTED = 0, 1, 2, 3, 130
COLOURS = {MARKS["pass"]: "\33[32m", MARKS["fail"]: "\33[31m"}
PLAIN = str.maketrans({MARKS["pass"]: "+", MARKS["fail"]: "x", MARKS["skip"]: "-"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. 0 all pass, 1 something fails, 2 wrong usage, 3 the checks
    broke, 130 Ctrl-C."""
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser(instructor=not {*words[:1]} & LEARNERS).parse_args(words)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except UnknownLabError as error:
        return _complain(error, USAGE)
    except (ChecksError, GuideError) as error:
        return _complain(error, BROKEN)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # who reads this has seen enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _parser(instructor: bool = False) -> argparse.ArgumentParser:
    """The commands of learners; those of an instructor too, if they are wanted and there."""
    parser = argparse.ArgumentParser(prog="socketlab", description="Learn socket programming.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    lab = commands.add_parser("check", help="check your program for a lab")
    lab.add_argument("lab", help="its number or name: 1, 01, 01_echo_server")
    lab.add_argument("--program", default="", help="another file to check instead of yours")
    lab.add_argument(
        "--all", action="store_true", help="explain every failure, not only the first"
    )
    lab.set_defaults(run=_check)

    lab.add_argument("--watch", action="store_true", help="check it on every save, with keys")
    lab.add_argument("--ladder", type=Path, metavar="FILE", help="draw what failed")
    lab.add_argument("--seed", type=int, default=1, help="of random data (default: %(default)s)")

    time = commands.add_parser("timeline", help="draw your program's timeline and the reference's")
    time.add_argument("lab", help="its number or name")
    time.add_argument("--program", default="", help="another file in place of yours")
    where = {"type": Path, "default": Path("timeline.png"), "metavar": "FILE"}
    time.add_argument("--save", **where, help="where to (default: %(default)s)")
    time.set_defaults(run=_timeline)

    hints = commands.add_parser("hint", help="what your attempts at a lab have unlocked")
    hints.add_argument("lab", help="its number or name")
    hints.set_defaults(run=lambda options: _say(hint(options.lab)))

    table = commands.add_parser("list", help="which labs are done, and what is next")
    table.set_defaults(run=lambda options: _say(progress()))

    figures = commands.add_parser("figures", help="draw the course's figures again")
    where = {"type": Path, "default": Path("imgs"), "help": "where to (default: %(default)s)"}
    figures.add_argument("folder", nargs="?", **where)
    figures.set_defaults(run=_figures)
    if instructor and find_spec("socketlab.grading"):  # the learners' copy has no grader
        from socketlab.grading.commands import add_commands

        add_commands(commands)
    return parser


def _check(options: argparse.Namespace) -> int:
    if options.watch:
        return _watch(options)
    with _counted(sys.stderr) as tell:
        result = check(options.lab, options.program, seed=options.seed, tell=tell)
    shown = replace(result, explain_all=options.all, how_to_see_all="--all")
    print(_dressed(repr(shown), sys.stdout))
    if options.ladder and not result.passed:
        return _draw(result.ladder, options.ladder, nothing=FAILED) or FAILED
    return PASSED if result.passed else FAILED


@contextmanager
def _counted(stream: TextIO) -> Iterator[Callable[[Verdict], object]]:
    """On a terminal, how far the checks are while they run; the line is gone when they end."""
    count = itertools.count(1)

    def tell(verdict: Verdict) -> None:
        if stream.isatty():
            done = next(count)
            words = f"{done} check{'s' * (done != 1)} done ... "
            print(f"\r{words}", end="", file=stream, flush=True)

    try:
        yield tell
    finally:
        if stream.isatty():
            print("\r\33[K", end="", file=stream, flush=True)


def _timeline(options: argparse.Namespace) -> int:
    from socketlab.timelines import timeline  # matplotlib: only when it is needed

    return _draw(lambda: timeline(options.lab, options.program), options.save)


def _draw(picture: Callable[[], Picture], path: Path, nothing: int = USAGE) -> int:
    """Draw a picture into a file, and say in words what it shows; `nothing` is the exit code if
    there is none."""
    try:
        drawn = picture()
        print(f"\n{drawn}\n\nDrawn in {drawn.save(path)}")
    except ValueError as error:
        return _complain(error, nothing)
    except OSError as error:
        return _complain(f"cannot draw into {path}: {error.strerror}", USAGE)
    return PASSED


def _watch(options: argparse.Namespace) -> int:
    if not is_terminal():
        return _complain("--watch needs a terminal, with keys to press and a screen", USAGE)
    lab, own_file = find_lab(options.lab)
    path = Path(options.program) if options.program else own_file
    passed = watch(lab, path.absolute(), options.seed, _show)
    return PASSED if passed else FAILED


def _show(text: str) -> None:
    print(_dressed(text, sys.stdout), end="", flush=True)


def _say(words: str) -> int:
    print(_dressed(words, sys.stdout))
    return PASSED


def _figures(options: argparse.Namespace) -> int:
    from socketlab.figures.diagrams import draw_all  # matplotlib: only when it is needed

    try:
        print(*draw_all(options.folder), sep="\n")
    except OSError as error:
        return _complain(f"cannot draw into {options.folder}: {error.strerror}", USAGE)
    return PASSED


def _complain(error: Exception | str, code: int) -> int:
    print(f"socketlab: {error}", file=sys.stderr)
    return code


def _dressed(text: str, stream: TextIO) -> str:
    """The report with its marks coloured, or replaced where the stream has no such characters."""
    try:
        "".join(MARKS.values()).encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        return text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    if not _in_colour(stream):
        return text
    return "\n".join(_coloured(line) for line in text.split("\n"))


def _in_colour(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    capable = os.name != "nt" or "WT_SESSION" in os.environ  # the old Windows console is not
    return stream.isatty() and capable


def _coloured(line: str) -> str:
    colour = COLOURS.get(line.lstrip()[:1], "")
    return f"{colour}{line}\33[0m" if colour else line


if __name__ == "__main__":
    sys.exit(main())
