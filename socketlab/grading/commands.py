"""The instructor's commands: `socketlab grade` and what goes with it."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

from socketlab.grading.arguments import BOOK, Run, add_parsers
from socketlab.grading.batch import Progress, ShardError, shard
from socketlab.grading.cluster import ClusterError
from socketlab.grading.grade import GRADER, checks_digest
from socketlab.grading.gradebook import Gradebook, GradebookError
from socketlab.grading.handout import HandoutError
from socketlab.grading.policy import Extension, PolicyError, Rules, parse_due
from socketlab.grading.progress import ProgressLine
from socketlab.grading.result import Override
from socketlab.grading.roster import RosterError, read_roster
from socketlab.grading.running import Here, OnCluster, grade_all
from socketlab.grading.sandbox import SandboxError, find_sandbox
from socketlab.grading.submission import Found, Submission
from socketlab.grading.submissions import PlaceError, find_submissions
from socketlab.learner import Lab, find_lab

DONE, USAGE, BROKEN = 0, 2, 3


class MissingError(RuntimeError):
    """Something has to be installed first; the message says what."""


COMPLAINTS = (
    ClusterError,
    GradebookError,
    HandoutError,
    MissingError,
    PlaceError,
    PolicyError,
    RosterError,
    SandboxError,
    ShardError,
)


def add_commands(commands: Any) -> None:
    """Add the instructor's commands to the parser's."""
    run = {
        "grade": _grade,
        "regrade": _regrade,
        "gradebook": _gradebook,
        "override": _override,
        "extend": _extend,
        "merge": _merge,
        "handout": _handout,
        "similar": _similar,
    }
    add_parsers(commands, {name: _plainly(each) for name, each in run.items()})


def _plainly(run: Run) -> Run:
    """The same, with what goes wrong told in a sentence."""

    @wraps(run)
    def command(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except COMPLAINTS as error:
            return _complain(str(error))
        except OSError as error:
            if error.filename is None or isinstance(error, BrokenPipeError):
                raise
            return _complain(f"{error.filename}: {error.strerror}. Choose another, or mend that.")

    return command


def _complain(words: str) -> int:
    _tell(f"socketlab: {words}")
    return USAGE


# Grading


def _grade(options: argparse.Namespace) -> int:
    lab, write = _lab(options), _writer()
    list(shard((), options.shard))  # what is wrong with it is told before anything is begun
    where = _where(options, lab)
    roster = read_roster(options.roster) if options.roster else None
    found = find_submissions(options.places, lab, roster)
    if not (found.submissions or found.refusals):
        places = " and ".join(map(str, options.places))
        raise PlaceError(
            f"{places}: nothing has been handed in there. Name the folder that has it."
        )
    options.out.mkdir(parents=True, exist_ok=True)
    with Gradebook(options.out / BOOK) as book:
        book.begin(lab.name, found, _rules(options, book, lab))
        _tell(_count(found))
        end = _run(options, where, book, found.submissions)
        write(book, lab, options.out)
    return _told(end, options.out)


def _regrade(options: argparse.Namespace) -> int:
    lab, write = _lab(options), _writer()
    with _book(options) as book:
        submissions = tuple(book.submissions(lab.name))
        if not submissions:
            raise GradebookError(f"{options.out / BOOK} has no submissions for {lab.title}.")
        end = _run(options, _where(options, lab), book, submissions)
        write(book, lab, options.out)
    return _told(end, options.out)


def _where(options: argparse.Namespace, lab: Lab) -> Here | OnCluster:
    how = {"seed": options.seed, "deadline": options.deadline}
    if options.cluster:
        return OnCluster(lab, options.cluster, options.require_sandbox, **how)
    sandbox = find_sandbox(options.require_sandbox)
    _tell(f"Sandbox: {sandbox.title}. {sandbox.advice}".rstrip())
    return Here(lab, sandbox, options.workers, **how)


def _run(
    options: argparse.Namespace,
    where: Here | OnCluster,
    book: Gradebook,
    submissions: Sequence[Submission],
) -> Progress:
    with ProgressLine(sys.stderr) as line:
        try:
            share = options.shard
            return grade_all(submissions, where, book, share=share, report=line.show)
        except KeyboardInterrupt:
            line.clear()
            _tell("Stopped. What is graded is kept: the same command goes on from there.")
            raise


def _told(end: Progress, out: Path) -> int:
    before = f", {end.known} had been graded before" if end.known else ""
    _tell(f"{end.done} graded{before}. Open {out / 'index.html'}")
    if end.broken:
        _tell(f"For {end.broken} the grader itself failed: see their pages; regrade tries again.")
    return BROKEN if end.broken else DONE


def _count(found: Found) -> str:
    handed_in = {s.student for s in found.submissions} | {r.student for r in found.refusals}
    missing = sum(person.id not in handed_in for person in found.people)
    people = {s.student for s in found.submissions} | {person.id for person in found.people}
    parts = [f"Submissions: {len(found.submissions)}; people: {len(people)}"]
    parts += [f"refused: {len(found.refusals)}"] * bool(found.refusals)
    parts += [f"not handed in: {missing}"] * bool(missing)
    return "; ".join(parts) + "."


def _rules(options: argparse.Namespace, book: Gradebook, lab: Lab) -> Rules:
    """The rules of the last time, with what is given now in their place."""
    before = book.rules(lab.name) if lab.name in book.labs() else Rules()
    names = ("grace", "per_day", "cap", "attempts")
    given = {name: getattr(options, name) for name in names}
    rules = replace(before, **{name: value for name, value in given.items() if value is not None})
    if options.due is None:
        return rules
    return replace(rules, due=None if options.due == "none" else parse_due(options.due))


# The book


@contextmanager
def _book(options: argparse.Namespace, read_only: bool = False) -> Iterator[Gradebook]:
    path = options.out / BOOK
    if not path.is_file():
        raise GradebookError(
            f"There is no gradebook in {options.out}. --out names the folder of `socketlab grade`."
        )
    with Gradebook(path, read_only=read_only) as book:
        yield book


def _lab(options: argparse.Namespace) -> Lab:
    return find_lab(options.lab)[0]


def _writer() -> Callable[[Gradebook, Lab, Path], None]:
    """What writes all pages and tables. MissingError if it cannot: before, not after the work."""
    try:
        from socketlab.grading.out import write_all
    except ImportError as error:
        raise MissingError(
            f"The pages need {error.name}, which is not installed: make grader, or "
            "pip install -e '.[grading]'"
        ) from None

    def write(book: Gradebook, lab: Lab, out: Path) -> None:
        nobodys = [refusal for refusal in book.refusals(lab.name) if not refusal.student]
        grades = book.grades(lab.name, checks_digest(lab), GRADER)
        write_all(grades, lab, out, refusals=nobodys)

    return write


def _gradebook(options: argparse.Namespace) -> int:
    _writer()
    from socketlab.grading.out import gradebook_text

    lab = _lab(options)
    with _book(options, read_only=True) as book:
        print(gradebook_text(book.grades(lab.name, checks_digest(lab), GRADER), lab))
    return DONE


def _override(options: argparse.Namespace) -> int:
    lab, write = _lab(options), _writer()
    given = (options.student, lab.name, options.points, options.reason, _me(), datetime.now(UTC))
    with _book(options) as book:
        book.override(Override(*given))
        write(book, lab, options.out)
    _tell(f"{options.student} has {options.points:g} points in {lab.title}: {options.reason}")
    return DONE


def _extend(options: argparse.Namespace) -> int:
    lab, write = _lab(options), _writer()
    given = (options.student, lab.name, options.hours, options.reason, _me(), datetime.now(UTC))
    extension = Extension(*given)
    with _book(options) as book:
        book.extend(extension)
        write(book, lab, options.out)
    _tell(f"{options.student} has {options.hours:g} hours more for {lab.title}.")
    return DONE


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name
        return ""


def _merge(options: argparse.Namespace) -> int:
    from socketlab.grading.merging import merge

    write = _writer()
    options.out.mkdir(parents=True, exist_ok=True)
    merged = merge([_book_in(place) for place in options.sources], options.out / BOOK)
    with _book(options) as book:
        for name in book.labs():
            write(book, find_lab(name)[0], options.out)
    for lab in merged.other_rules:
        _tell(f"The shares have different late rules for {lab}: those of the first are kept.")
    for key in merged.contradicting:
        _tell(f"Two shares disagree about {key}: the first is kept.")
    _tell(f"{merged.taken} results taken, {merged.same} were there. Open {options.out}/index.html")
    return BROKEN if merged.contradicting else DONE


def _book_in(place: Path) -> Path:
    return place / BOOK if place.is_dir() else place


def _similar(options: argparse.Namespace) -> int:
    from socketlab.grading.similarity import SimilarityError, similarity

    lab = _lab(options)
    with _book(options, read_only=True) as book:
        found = Found(book.people(lab.name), tuple(book.submissions(lab.name)))
    try:
        print(similarity(found, lab, options.out))
    except SimilarityError as error:
        return _complain(str(error))
    return DONE


def _handout(options: argparse.Namespace) -> int:
    from socketlab.grading.handout import make_handout

    root = find_lab("1")[0].root
    count = len(make_handout(options.folder, root))
    _tell(f"{count} files in {options.folder}. Learners start there with: make lab")
    return DONE


def _tell(words: str) -> None:
    """To people: what comes on stdout is for programs."""
    print(words, file=sys.stderr)
