"""The instructor's commands: `socketlab grade` and what goes with it."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from socketlab.grading.batch import Batch, Progress, cluster_executor, local_executor, shard
from socketlab.grading.grade import GRADER, checks_digest, grade_one, no_result
from socketlab.grading.gradebook import Gradebook, GradebookError
from socketlab.grading.policy import Extension, PolicyError, Rules, parse_due
from socketlab.grading.progress import ProgressLine
from socketlab.grading.result import Override, Result
from socketlab.grading.roster import read_roster
from socketlab.grading.sandbox import Sandbox, find_sandbox
from socketlab.grading.submission import Found, Submission
from socketlab.learner import Lab, find_lab

DONE, USAGE, BROKEN = 0, 2, 3
BOOK = "gradebook.sqlite"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the instructor's commands to the parser's."""
    _add_grade(commands)
    _add_regrade(commands)
    _add_book(commands)
    _add_merge(commands)
    handout = commands.add_parser("handout", help="make the learners' copy of the course")
    handout.add_argument("folder", type=Path, help="where to: a folder that is empty or not there")
    handout.set_defaults(run=_handout)


def _add_grade(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    grade = commands.add_parser(
        "grade",
        help="grade a class",
        description="Grade every submission of a lab, and write a page for each learner, a page "
        "of the class, and the files that learning platforms take. What has been graded is "
        f"kept in OUT/{BOOK} and is not graded again.",
        epilog="Exit codes: 0 all that was handed in is graded; 2 wrong usage, or something "
        "cannot be read; 3 the grader itself failed for some, who have no points for it; "
        "130 Ctrl-C: the same command goes on where it stopped.",
    )
    grade.add_argument("lab", help="its number or name")
    grade.add_argument(
        "places",
        nargs="+",
        type=Path,
        metavar="PLACE",
        help="a folder, a file, an archive, or a platform's bulk download",
    )
    grade.add_argument("--roster", type=Path, metavar="FILE", help="the class, as CSV")
    _add_out(grade)
    _add_running(grade)
    rules = grade.add_argument_group("late rules (those of the last time, if none is given)")
    rules.add_argument("--due", help='when it was due, in local time: "2026-11-30 23:59"')
    rules.add_argument("--grace", type=float, metavar="HOURS", help="so late is not late")
    rules.add_argument("--per-day", type=float, metavar="PERCENT", help="lost a begun day")
    rules.add_argument("--cap", type=float, metavar="PERCENT", help="no more than this is lost")
    rules.add_argument("--attempts", choices=["best", "last"], help="which attempt counts")
    grade.set_defaults(run=_grade)


def _add_regrade(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    again = commands.add_parser(
        "regrade", help="grade what was handed in again, after a check was mended"
    )
    again.add_argument("lab", help="its number or name")
    _add_out(again)
    _add_running(again)
    again.set_defaults(run=_regrade)


def _add_out(parser: argparse.ArgumentParser) -> None:
    where = {"type": Path, "default": Path("results"), "metavar": "FOLDER"}
    parser.add_argument("--out", **where, help="for pages and grades (default: %(default)s)")


def _add_running(parser: argparse.ArgumentParser) -> None:
    running = parser.add_argument_group("how")
    workers = max(1, (os.cpu_count() or 1))
    words = "so many side by side (default: %(default)s, one for each processor)"
    running.add_argument("--workers", type=_at_least_one, default=workers, metavar="N", help=words)
    running.add_argument("--cluster", metavar="ADDRESS", help="on a Dask cluster: tcp://HOST:PORT")
    running.add_argument("--shard", metavar="I/N", help="only this share; see merge")
    running.add_argument(
        "--require-sandbox", choices=["A", "B", "C"], default="", help="stop if there is none such"
    )
    running.add_argument(
        "--seed", type=int, default=1, help="of random data (default: %(default)s)"
    )
    words = "seconds that one submission may take (default: %(default)g)"
    running.add_argument("--deadline", type=float, default=180.0, metavar="SECONDS", help=words)


def _add_book(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    book = commands.add_parser("gradebook", help="show the grades of a class")
    book.add_argument("lab", help="its number or name")
    _add_out(book)
    book.set_defaults(run=_gradebook)

    override = commands.add_parser("override", help="give points by hand, with a reason")
    override.add_argument("lab", help="its number or name")
    override.add_argument("student", help="the id, as the gradebook shows it")
    override.add_argument("points", type=float)
    override.add_argument("--reason", required=True, help="the learner reads it")
    _add_out(override)
    override.set_defaults(run=_override)

    extend = commands.add_parser("extend", help="give a learner more time, with a reason")
    extend.add_argument("lab", help="its number or name")
    extend.add_argument("student", help="the id, as the gradebook shows it")
    extend.add_argument("hours", type=float)
    extend.add_argument("--reason", required=True)
    _add_out(extend)
    extend.set_defaults(run=_extend)

    similar = commands.add_parser("similar", help="report programs that are alike")
    similar.add_argument("lab", help="its number or name")
    _add_out(similar)
    similar.set_defaults(run=_similar)


def _add_merge(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    merge = commands.add_parser("merge", help="put the gradebooks of several shares together")
    merge.add_argument("sources", nargs="+", type=Path, metavar="FOLDER", help="the shares' --out")
    _add_out(merge)
    merge.set_defaults(run=_merge)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


# Grading


@dataclass(frozen=True, slots=True)
class Setting:
    """All that a batch needs besides its submissions."""

    lab: Lab
    sandbox: Sandbox
    seed: int
    deadline: float
    workers: int
    cluster: str

    def grader(self, stop: threading.Event | None) -> Callable[[Submission], Result]:
        """Grades one submission; for a cluster it has to be pickled, so there `stop` is None."""
        how = {"seed": self.seed, "sandbox": self.sandbox, "deadline": self.deadline}
        return partial(_result, lab=self.lab, stop=stop, **how)

    def executor(self, stop: threading.Event) -> AbstractContextManager:
        """Where the submissions are graded."""
        if self.cluster:
            return cluster_executor(self.cluster)
        return local_executor(self.workers, stop)


def _result(submission: Submission, *, lab: Lab, **how: object) -> Result:
    return grade_one(submission.source, lab, **how)  # type: ignore[arg-type]


def _setting(options: argparse.Namespace, lab: Lab) -> Setting:
    sandbox = find_sandbox(options.require_sandbox)
    _tell(f"Sandbox: {sandbox.title}. {sandbox.advice}".rstrip())
    if not options.deadline > 0:
        raise PolicyError(f"--deadline is a number of seconds above 0, not {options.deadline:g}.")
    how = (options.seed, options.deadline, options.workers, options.cluster or "")
    return Setting(lab, sandbox, *how)


def _grade(options: argparse.Namespace) -> int:
    from socketlab.grading.submissions import find_submissions

    lab, _ = find_lab(options.lab)
    setting = _setting(options, lab)
    roster = read_roster(options.roster) if options.roster else None
    found = find_submissions(options.places, lab, roster)
    options.out.mkdir(parents=True, exist_ok=True)
    with Gradebook(options.out / BOOK) as book:
        book.begin(lab.name, found, _rules(options, book, lab))
        _tell(_count(found))
        return _run(setting, book, found.submissions, options)


def _regrade(options: argparse.Namespace) -> int:
    lab, _ = find_lab(options.lab)
    with _book(options) as book:
        submissions = tuple(book.submissions(lab.name))
        if not submissions:
            raise GradebookError(f"{options.out / BOOK} has no submissions for {lab.title}.")
        return _run(_setting(options, lab), book, submissions, options)


def _run(
    setting: Setting,
    book: Gradebook,
    submissions: Sequence[Submission],
    options: argparse.Namespace,
) -> int:
    """Grade what the gradebook does not have, then write everything."""
    lab, checks, stop = setting.lab, checks_digest(setting.lab), threading.Event()
    share = list(shard(submissions, options.shard or "1/1"))
    todo = [s for s in share if not book.has(s.student, lab.name, s.digest, checks, GRADER)]
    give_up = partial(_given_up, setting)
    with ProgressLine(sys.stderr) as line:
        batch = Batch(
            grade=setting.grader(None if setting.cluster else stop),
            make=lambda: setting.executor(stop),
            at_once=setting.workers * (4 if setting.cluster else 1),
            store=lambda submission, result: book.add(submission.student, result),
            give_up=give_up,
            report=line.show,
        )
        try:
            end = batch.run(todo, len(share), len(share) - len(todo))
        except KeyboardInterrupt:
            line.clear()
            _tell("Stopped. What is graded is kept: the same command goes on from there.")
            raise
    _write(book, lab, options.out)
    return _told(end, options.out)


def _given_up(setting: Setting, submission: Submission, why: str) -> Result:
    problem = f"The grader failed, not the program: {why}."
    how = {"seed": setting.seed, "sandbox": setting.sandbox, "problem": problem}
    return no_result(submission.source, setting.lab, **how)


def _told(end: Progress, out: Path) -> int:
    graded = f"{end.done} graded, {end.known} had been graded before" if end.known else end.done
    _tell(f"{graded if end.known else f'{end.done} graded'}. Open {out / 'index.html'}")
    if end.broken:
        _tell(f"For {end.broken} the grader itself failed: see their pages; regrade tries again.")
    return BROKEN if end.broken else DONE


def _count(found: Found) -> str:
    handed_in = {s.student for s in found.submissions} | {r.student for r in found.refusals}
    missing = sum(person.id not in handed_in for person in found.people)
    parts = [f"{len(found.submissions)} submissions of {len(found.people)} people"]
    parts += [f"{len(found.refusals)} refused"] * bool(found.refusals)
    parts += [f"{missing} not handed in"] * bool(missing)
    return ", ".join(parts) + "."


def _rules(options: argparse.Namespace, book: Gradebook, lab: Lab) -> Rules:
    """The rules of the last time, with what is given now in their place."""
    given = {
        "due": options.due and parse_due(options.due),
        "grace": None if options.grace is None else timedelta(hours=options.grace),
        "per_day": None if options.per_day is None else options.per_day / 100,
        "cap": None if options.cap is None else options.cap / 100,
        "attempts": options.attempts,
    }
    before = book.rules(lab.name) if lab.name in book.labs() else Rules()
    return replace(before, **{name: value for name, value in given.items() if value is not None})


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


def _write(book: Gradebook, lab: Lab, out: Path) -> None:
    from socketlab.grading.out import write_all

    unknown = [refusal for refusal in book.refusals(lab.name) if not refusal.student]
    grades = book.grades(lab.name, checks_digest(lab), GRADER)
    write_all(grades, lab, out, refusals=unknown)


def _gradebook(options: argparse.Namespace) -> int:
    from socketlab.grading.out import gradebook_text

    lab, _ = find_lab(options.lab)
    with _book(options, read_only=True) as book:
        print(gradebook_text(book.grades(lab.name, checks_digest(lab), GRADER), lab))
    return DONE


def _override(options: argparse.Namespace) -> int:
    lab, _ = find_lab(options.lab)
    when, by = datetime.now(UTC), _me()
    with _book(options) as book:
        given = (options.student, lab.name, options.points, options.reason, by, when)
        book.override(Override(*given))
        _write(book, lab, options.out)
    _tell(f"{options.student} has {options.points:g} points in {lab.title}: {options.reason}")
    return DONE


def _extend(options: argparse.Namespace) -> int:
    lab, _ = find_lab(options.lab)
    when, by = datetime.now(UTC), _me()
    with _book(options) as book:
        given = (options.student, lab.name, options.hours, options.reason, by, when)
        book.extend(Extension(*given))
        _write(book, lab, options.out)
    _tell(f"{options.student} has {options.hours:g} hours more for {lab.title}.")
    return DONE


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name
        return ""


def _merge(options: argparse.Namespace) -> int:
    from socketlab.grading.merging import merge

    options.out.mkdir(parents=True, exist_ok=True)
    merged = merge([_book_in(place) for place in options.sources], options.out / BOOK)
    with _book(options) as book:
        for name in book.labs():
            _write(book, find_lab(name)[0], options.out)
    _tell(f"{merged.taken} results taken, {merged.same} were there. Open {options.out}/index.html")
    for key in merged.contradicting:
        _tell(f"Two shares disagree about {key}: the first is kept.")
    return BROKEN if merged.contradicting else DONE


def _book_in(place: Path) -> Path:
    return place / BOOK if place.is_dir() else place


def _similar(options: argparse.Namespace) -> int:
    from socketlab.grading.similarity import similarity

    lab, _ = find_lab(options.lab)
    with _book(options, read_only=True) as book:
        found = Found(book.people(lab.name), tuple(book.submissions(lab.name)))
    print(similarity(found, lab, options.out))
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
