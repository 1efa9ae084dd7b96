"""For the learner: run a lab's checks on a program and read what they found."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from socketlab.harness.guide import Diagnosis, first_failure, read_guide, signature
from socketlab.harness.reading import reading_table
from socketlab.harness.report import likely, report, wrapped
from socketlab.harness.runner import stream_checks
from socketlab.harness.verdicts import Verdict
from socketlab.progress_file import LabProgress, Progress

if TYPE_CHECKING:
    from socketlab.figures import Picture


class UnknownLabError(LookupError):
    """No lab has this name; the message lists the labs."""


@dataclass(frozen=True)
class Lab:
    """A lab in the folder `root`: the starter, its checks and the reading table."""

    root: Path
    name: str

    @property
    def program(self) -> Path:
        """The file that the learner edits."""
        return self.root / "labs" / f"{self.name}.py"

    @property
    def checks(self) -> Path:
        """The public checks."""
        return self.root / "labs" / "checks" / f"{self.name}.py"

    @property
    def hidden_checks(self) -> Path:
        """The checks that only grading runs."""
        return self.root / "solutions" / "checks" / f"{self.name}.py"

    @property
    def reading(self) -> Path:
        """The table of what to read after a failure."""
        return self.root / "labs" / "checks" / "reading.toml"

    @property
    def scene(self) -> Path:
        """What happens while a timeline is drawn; beside it, in `.jsonl`, the reference's."""
        return self.root / "labs" / "scenes" / f"{self.name}.py"

    @property
    def title(self) -> str:
        """For people: `Lab 01, echo server`."""
        number, _, words = self.name.partition("_")
        return f"Lab {number}, {words.replace('multi_', 'multi-').replace('_', ' ')}"

    @property
    def guide(self) -> Path:
        """What failures most likely mean, and the hints."""
        return self.root / "labs" / "checks" / f"{self.name}.toml"

    @property
    def progress(self) -> Progress:
        """What has been done, in all labs."""
        return _progress(self.root)


@dataclass(frozen=True)
class Result:
    """What the checks of a lab found. Its repr is the report, with the first failure explained.

    `diagnosis` is the mistake that is most likely behind it, if that can be told. `checks` and
    `program` are the files, `seed` that of random data.
    """

    title: str
    verdicts: tuple[Verdict, ...]
    explain_all: bool = False
    how_to_see_all: str = ".all()"
    diagnosis: Diagnosis | None = None
    read: str = ""
    checks: Path | None = None
    program: Path | None = None
    seed: int = 1

    @property
    def passed(self) -> bool:
        """Whether every check that applies passes; a check that was skipped says why."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        return "pass" in outcomes and not outcomes & {"fail", "error"}

    def all(self) -> Result:
        """The same result, with every failure explained."""
        return replace(self, explain_all=True)

    def ladder(self) -> Picture:
        """The conversation of the first failure as a picture: that check is tried once more.

        ValueError if no check fails, or if your program had no conversation in it.
        """
        from socketlab.timelines import failing_conversation  # matplotlib: when it is needed

        failed = first_failure(self.verdicts)
        if not (failed and self.checks and self.program):
            raise ValueError("No check fails: there is no failing conversation to draw.")
        return failing_conversation(self.program, self.checks, failed, self.seed)

    def __repr__(self) -> str:
        row = self.diagnosis
        words = likely(row.name, row.cause, self.read) if row else ""
        return report(self.title, self.verdicts, self.explain_all, self.how_to_see_all, words)


def check(
    lab: str | int | os.PathLike[str],
    program: str | os.PathLike[str] = "",
    *,
    seed: int = 1,
    tell: Callable[[Verdict], object] | None = None,
) -> Result:
    """Run the public checks of a lab: `check("01")`. Nothing it starts is left running.

    `lab` is a number, a name or the path of your file; `program` another file to check instead,
    `seed` that of random data. `tell` is called with each verdict as soon as it is known.
    Raises UnknownLabError, or ChecksError if the checks themselves break.
    """
    if not isinstance(program, str | os.PathLike):
        raise TypeError(f"program is the path of a file, such as 'mine.py', not {program!r}")
    found, own_file = find_lab(lab)
    path = Path(program) if program else own_file
    verdicts = []
    stream = stream_checks(path, [found.checks], found.reading, seed=_whole(seed))
    with closing(stream):
        for verdict in stream:
            verdicts.append(verdict)
            if tell:
                tell(verdict)
    return conclude(found, path, verdicts, seed)


def _whole(seed: int) -> int:
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"seed is a whole number, such as 1, not {seed!r}")
    return seed


def conclude(lab: Lab, path: Path, verdicts: Sequence[Verdict], seed: int = 1) -> Result:
    """The result that verdicts on a file come to. That of the learner's own file is kept."""
    diagnosis = read_guide(lab.guide).diagnose(verdicts)
    read = ""
    if diagnosis and (first := first_failure(verdicts)):
        read = reading_table(lab.reading).get(diagnosis.read, first.read)
    if path.absolute() == lab.program:
        _keep(lab, verdicts, diagnosis)
    told = {"diagnosis": diagnosis, "read": read, "checks": lab.checks}
    return Result(lab.title, tuple(verdicts), **told, program=path.absolute(), seed=seed)


def _keep(lab: Lab, verdicts: Sequence[Verdict], diagnosis: Diagnosis | None) -> None:
    now = lab.progress.of(lab.name)
    first = first_failure(verdicts)
    now.passed = sum(each.outcome == "pass" for each in verdicts)
    now.checks = len(verdicts)
    now.done = now.done or Result("", tuple(verdicts)).passed
    now.failing = first.name if first else ""
    now.diagnosis = diagnosis.name if diagnosis else ""
    now.signature = signature(verdicts, diagnosis)
    if first and lab.program.is_file():
        now.failed(hashlib.sha256(lab.program.read_bytes()).hexdigest()[:16])
    lab.progress.write(lab.name, now)


class Words(str):
    """Text whose repr is the text, so that a notebook shows it as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def hint(lab: str | int | os.PathLike[str]) -> Words:
    """The hints that your attempts at a lab have unlocked: `hint("01")`.

    One more is unlocked whenever a changed file fails in the same way again.
    """
    found, _ = find_lab(lab)
    now = found.progress.of(found.name)
    if not now.checks:
        return Words(f"Check your program first: there are no hints before {_how(found)}.")
    if not now.failing:
        return Words(f"{found.title}: every check passes. There is nothing to hint at.")
    steps = read_guide(found.guide).hints_for(now.failing, now.diagnosis)
    return Words(_hints(found, now, steps))


def _hints(lab: Lab, now: LabProgress, steps: Sequence[str]) -> str:
    if not steps:
        return f"There is no hint for this. Read what {_how(lab)} says, and the section it names."
    open_ = min(max(now.attempts, 1), len(steps))
    lines = [f"{number}. {step}" for number, step in enumerate(steps[:open_], 1)]
    left = len(steps) - open_
    more = "If your program still fails in the same way after a change, there is one more hint."
    count = f"{lab.title}: hint {open_} of {len(steps)}"
    return "\n".join([count, "", *map(wrapped, lines), *(["", more] if left else [])])


def _how(lab: Lab) -> str:
    return f'check("{lab.name[:2]}")'


def progress() -> Words:
    """Which labs are done, and what is next."""
    root = _project(Path.cwd())
    known = _progress(root).read()
    labs = [Lab(root, name) for name in _labs(root)]
    rows = [f"{_state(known.get(lab.name)):<10}  {lab.title}" for lab in labs]
    left = [lab for lab in labs if lab.name not in known or not known[lab.name].done]
    after = f"Next: {left[0].title}, labs/{left[0].program.name}" if left else "All labs are done."
    return Words("\n".join([*rows, "", after]))


def _progress(root: Path) -> Progress:
    """Where SOCKETLAB_PROGRESS says, else in the labs folder."""
    named = os.environ.get("SOCKETLAB_PROGRESS")
    return Progress(Path(named) if named else root / "labs" / ".progress.json")


def next_lab(lab: Lab) -> Lab | None:
    """The lab to go on with: the first that is not done, after this one if possible."""
    known = lab.progress.read()
    names = [name for name in _labs(lab.root) if name != lab.name]
    left = [name for name in names if name not in known or not known[name].done]
    later = [name for name in left if name > lab.name]
    return Lab(lab.root, (later or left)[0]) if left else None


def _state(lab: LabProgress | None) -> str:
    if lab is None or not lab.checks:
        return "-"
    return "done" if lab.done else f"{lab.passed} of {lab.checks}"


def find_lab(lab: str | int | os.PathLike[str], start: Path | None = None) -> tuple[Lab, Path]:
    """The lab that is meant by `lab`, and the file to check. Raises UnknownLabError."""
    root = _project(start or Path.cwd())
    labs = _labs(root)
    path = Path(str(lab))
    number = re.fullmatch(r"\d+", str(lab))
    for name in labs:
        if path.stem == name or (number and int(name[:2]) == int(number[0])):
            found = Lab(root, name)
            return found, path if path.suffix else found.program
    raise UnknownLabError(f"There is no lab {str(lab)!r}. The labs are: {', '.join(labs)}.")


def _project(start: Path) -> Path:
    """The nearest folder at or above `start` (else above this package) with labs in it."""
    for folder in (start, *start.absolute().parents, Path(__file__).parents[1]):
        if (folder / "labs" / "checks").is_dir():
            return folder.absolute()
    raise UnknownLabError(
        f"There is no labs/checks folder at or above {start}. Go to the project."
    )


def _labs(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "labs" / "checks").glob("[0-9][0-9]_*.py"))
