"""For the learner: run a lab's checks on a program and read what they found."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from socketlab.harness.report import report
from socketlab.harness.runner import run_checks
from socketlab.harness.verdicts import Verdict


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
    def title(self) -> str:
        """For people: `Lab 01, echo server`."""
        number, _, words = self.name.partition("_")
        return f"Lab {number}, {words.replace('_', ' ')}"


@dataclass(frozen=True)
class Result:
    """What the checks of a lab found. Its repr is the report, with the first failure explained."""

    title: str
    verdicts: tuple[Verdict, ...]
    explain_all: bool = False
    how_to_see_all: str = ".all()"

    @property
    def passed(self) -> bool:
        """Whether every check that applies passes; a check that was skipped says why."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        return "pass" in outcomes and not outcomes & {"fail", "error"}

    def all(self) -> Result:
        """The same result, with every failure explained."""
        return replace(self, explain_all=True)

    def __repr__(self) -> str:
        return report(self.title, self.verdicts, self.explain_all, self.how_to_see_all)


def check(lab: str | int | os.PathLike[str], program: str | os.PathLike[str] = "") -> Result:
    """Run the public checks of a lab: `check("01")`. Nothing it starts is left running.

    `lab` is a number, a name or the path of your file; `program` another file to check instead.
    Raises UnknownLabError, or ChecksError if the checks themselves break.
    """
    if not isinstance(program, str | os.PathLike):
        raise TypeError(f"program is the path of a file, such as 'mine.py', not {program!r}")
    found, own_file = find_lab(lab)
    path = Path(program) if program else own_file
    return Result(found.title, tuple(run_checks(path, [found.checks], found.reading)))


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
