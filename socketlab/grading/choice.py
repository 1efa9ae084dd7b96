"""Which of the files that somebody handed in is the program. It is never guessed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from socketlab.grading.files import UnreadableError, stem_of
from socketlab.learner import Lab

DEFINED = re.compile(rb"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
COPY = re.compile(r"(?:[ _]?-[ _]?copy|-kopie|[ _-]?\(?\d{1,2}\)?)$", re.IGNORECASE)  # also "-2"
NUMBER = re.compile(r"(?:^|\D)0*(\d+)(?=\D|$)")
SIGNS = {
    b"PK\x03\x04": "a zip archive or a document of an office program",
    b"%PDF": "a PDF",
    b"{\\rtf": "a document of an office program",
    b"\xd0\xcf\x11\xe0": "a document of an office program",
    b"\x1f\x8b": "a packed file",
    b"BZh": "a packed file",
    b"\xfd7zXZ": "a packed file",
    b"7z\xbc\xaf": "a packed file",
    b"Rar!": "a packed file",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
}
NOTEBOOK = re.compile(rb'\s*\{\s*"(?:cells|metadata|nbformat)"')
PLAIN = "Save the program as plain text with .py at the end of its name, and hand that in."
EXPORT = (
    "Put its code into a .py file (in Jupyter: File, Save and Export Notebook As, Executable)."
)
SHOWN = 6  # names in a reason


@dataclass(frozen=True)
class Candidate:
    """A Python file that may be the program; `rest` is its name on the learner's machine."""

    path: str
    rest: str
    source: bytes

    @cached_property
    def stem(self) -> str:
        """Its name without .py, in small letters, with - for _."""
        return stem_of(self.rest).casefold().strip().replace("-", "_").replace(" ", "_")

    @cached_property
    def defined(self) -> frozenset[str]:
        """The functions and classes that it defines, also if it is no valid Python."""
        return frozenset(name.decode() for name in DEFINED.findall(self.source))


@dataclass(frozen=True, slots=True)
class Choice:
    """The program, and what an instructor should know of how it was found."""

    program: Candidate
    notes: tuple[str, ...] = ()


def choose(found: Sequence[Candidate], others: Iterable[str], lab: Lab) -> Choice:
    """The program for a lab: the lab's name, else its number, else the only one that fits.

    `others` are the paths of what is no Python file, with "/" behind those of folders. UnreadableError if there is none, or if it
    cannot be told which one it is; the reason says what to do.
    """
    good = [each for each in found if not _fault(each)]
    if not _named(good, lab) and (bad := _named(found, lab)):
        raise UnreadableError(_fault(bad[0]))
    for tier in (_named(good, lab), _numbered(good, lab), _fitting(good, lab)):
        if one := _one_of(tier, lab):
            return Choice(one, _renamed(one, lab))
    if len(good) == 1 and not _other_lab(good[0], lab):
        missing = ", ".join(sorted(holes(lab) - good[0].defined))
        return Choice(good[0], (*_renamed(good[0], lab), f"It does not define {missing}."))
    raise UnreadableError(_nothing(found, good, list(others), lab))


def holes(lab: Lab) -> frozenset[str]:
    """What the starter leaves to write: functions and classes that its learner defines."""
    return _holes(lab.program.read_bytes())


@lru_cache(maxsize=8)
def _holes(starter: bytes) -> frozenset[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    defined = [node for node in ast.parse(starter).body if isinstance(node, kinds)]
    return frozenset(node.name for node in defined if "NotImplementedError" in ast.dump(node))


def _named(good: Sequence[Candidate], lab: Lab) -> list[Candidate]:
    """Those with the lab's name, perhaps as a copy that a browser or a platform numbered."""
    name = lab.name.casefold()
    return [e for e in good if e.stem == name] or [e for e in good if COPY.sub("", e.stem) == name]


def _numbered(good: list[Candidate], lab: Lab) -> list[Candidate]:
    number = int(lab.name[:2])
    return [each for each in good if number in _numbers(each) and not _other_lab(each, lab)]


def _numbers(candidate: Candidate) -> set[int]:
    """The short numbers in a name: longer ones are ids of people, or dates."""
    return {int(found) for found in NUMBER.findall(candidate.stem) if len(found) <= 2}


def _fitting(good: list[Candidate], lab: Lab) -> list[Candidate]:
    return [each for each in good if holes(lab) <= each.defined and not _other_lab(each, lab)]


def _one_of(tier: list[Candidate], lab: Lab) -> Candidate | None:
    """The only one, or the only one that defines what the starter does; None of no candidates."""
    fitting = tier if len(tier) == 1 else _fitting(tier, lab)
    different = list({each.source: each for each in reversed(fitting or tier)}.values())
    if len(different) > 1:
        names = _some([each.path for each in tier])
        raise UnreadableError(f"Several files may be the program: {names}. Keep only the one.")
    return different[0] if different else None


def _other_lab(candidate: Candidate, lab: Lab) -> bool:
    """Whether its name is that of another lab."""
    labs = {path.stem for path in lab.program.parent.glob("[0-9][0-9]_*.py")} - {lab.name}
    return COPY.sub("", candidate.stem) in labs or candidate.stem in labs


def _fault(candidate: Candidate) -> str:
    """Why a file with .py in its name is no program; "" if it may be one."""
    source = candidate.source
    if not source.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        return f"{candidate.path} is empty. Hand in the file that you worked in, once it is saved."
    if NOTEBOOK.match(source[:200]):
        return f"{candidate.path} is a notebook, whatever its name says. {EXPORT}"
    start = source[:20].lstrip(b"\xef\xbb\xbf \r\n").lower()
    kind = next((kind for sign, kind in SIGNS.items() if start.startswith(sign.lower())), "")
    return f"{candidate.path} is {kind}, not a Python file. {PLAIN}" if kind else ""


def _renamed(chosen: Candidate, lab: Lab) -> tuple[str, ...]:
    name = chosen.rest.rpartition("/")[2]
    return () if name == f"{lab.name}.py" else (f"The file is called {name}, not {lab.name}.py.",)


def _nothing(
    found: Sequence[Candidate], good: list[Candidate], others: list[str], lab: Lab
) -> str:
    """Why there is no program to be found, and what to do."""
    if good:
        names = _some([each.path for each in good])
        return f"None of these is for {lab.title}: {names}. Call the program {lab.name}.py."
    if found:
        return _fault(found[0])
    for path in others:
        if path.endswith("/"):
            return f"{path[:-1]} is a folder, whatever its name says. Hand in the file itself."
        if path.casefold().endswith(".ipynb"):
            return f"{path} is a notebook. {EXPORT}"
    if others:
        return f"There is no Python file, only {_some(others)}. {PLAIN}"
    return f"There is no file in it. Hand in {lab.name}.py."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
