"""Grading one submission: its bytes, a lab and a seed in, a result out."""

from __future__ import annotations

import ast
import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from socketlab.grading.result import Result, Status
from socketlab.grading.sandbox import Sandbox
from socketlab.grading.workplace import KIT, Means, workplace
from socketlab.harness.guide import first_failure, read_guide
from socketlab.harness.reading import reading_table
from socketlab.harness.runner import ChecksError, OutOfTimeError, StoppedError, stream_checks
from socketlab.harness.schedule import WAITS
from socketlab.harness.verdicts import Verdict
from socketlab.learner import Lab


def grade_one(
    source: bytes,
    lab: Lab,
    *,
    seed: int = 1,
    sandbox: Sandbox,
    deadline: float = 180.0,
    stop: threading.Event | None = None,
) -> Result:
    """What the checks of a lab, hidden ones too, find in a program: a verdict for each of them.

    Whatever the program does, this returns: after `deadline` seconds and a few more at the latest.
    Only `stop` ends it without a result: when that is set, StoppedError is raised.
    """
    began = time.monotonic()
    with workplace(source, lab.program.name) as place:
        found = _run(sandbox.means(place, lab), lab, seed, deadline, stop)
        verdicts = [_without_places(verdict, place.folder) for verdict in found.verdicts]
    verdicts = _whole(verdicts, lab, found.status)
    broken = next((each for each in verdicts if each.outcome == "error"), None)
    if broken and found.status == "graded":
        found = replace(found, status="broken", problem=f"{broken.title}: {broken.happened}")
    result = _result(source, lab, seed, sandbox, found, verdicts)
    return replace(result, seconds=time.monotonic() - began)


def no_result(source: bytes, lab: Lab, *, seed: int, sandbox: Sandbox, problem: str) -> Result:
    """The result of a program that could not be graded: "broken", with no verdict of its own."""
    found = _Run((), "broken", problem)
    return _result(source, lab, seed, sandbox, found, _whole((), lab, "broken"))


def _result(
    source: bytes, lab: Lab, seed: int, sandbox: Sandbox, found: _Run, verdicts: list[Verdict]
) -> Result:
    return Result(
        lab=lab.name,
        digest=hashlib.sha256(source).hexdigest(),
        checks=checks_digest(lab),
        grader=GRADER,
        sandbox=sandbox.title,
        seed=seed,
        status=found.status,
        problem=found.problem,
        verdicts=tuple(verdicts),
        hidden=tuple(check.name for check in checks_of(lab) if check.hidden),
        **_advice(lab, verdicts),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    verdicts: tuple[Verdict, ...]
    status: Status = "graded"
    problem: str = ""


def _run(means: Means, lab: Lab, seed: int, deadline: float, stop: threading.Event | None) -> _Run:
    files = [file for file in (lab.checks, lab.hidden_checks) if file.is_file()]
    how: Any = {"seed": seed, "longest": deadline, "stop": stop, "wrap": means.wrap}
    how["box"] = means.box
    verdicts: list[Verdict] = []
    try:
        for verdict in stream_checks(means.program, files, lab.reading, **how):
            verdicts.append(verdict)
    except OutOfTimeError:
        problem = f"The run was stopped after {deadline:g} seconds, in the middle of the checks."
        return _Run(tuple(verdicts), "timeout", problem)
    except StoppedError:
        raise
    except ChecksError as error:
        return _Run(tuple(verdicts), "broken", str(error))
    return _Run(tuple(verdicts))


def _whole(verdicts: Sequence[Verdict], lab: Lab, status: Status) -> list[Verdict]:
    """A verdict for each check: what was never reached says so."""
    found = {verdict.name: verdict for verdict in verdicts}
    what = "the checks come to their end in time" if status == "timeout" else "the checks work"
    return [
        found.get(each.name) or Verdict(each.name, each.title, "skip", happened=f"{WAITS}{what}")
        for each in checks_of(lab)
    ]


def _advice(lab: Lab, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The most likely mistake, what to read of it, and the hints for the first failure."""
    guide, first = read_guide(lab.guide), first_failure(verdicts)
    if first is None:
        return {}
    row = guide.diagnose(verdicts)
    if row is None:
        return {"hints": guide.hints_for(first.name), "read": first.read}
    read = reading_table(lab.reading).get(row.read, first.read)
    hints = guide.hints_for(first.name, row.name)
    return {"diagnosis": row.name, "cause": row.cause, "read": read, "hints": hints}


def _without_places(verdict: Verdict, folder: Path) -> Verdict:
    """The same verdict, wherever it was found: without the folders of this run and machine."""
    places = [f"{folder}/program/", f"{folder}/scratch/", "/lab/", f"{KIT.parent}/"]

    def bare(text: str) -> str:
        for place in places:
            text = text.replace(place, "")
        return text

    texts = {name: bare(getattr(verdict, name)) for name in TEXTS}
    return replace(verdict, steps=tuple(map(bare, verdict.steps)), **texts)


TEXTS = ("happened", "sent", "got", "wanted", "program")


# What judges


@dataclass(frozen=True, slots=True)
class ListedCheck:
    """A check of a lab: its name, its title, and whether learners have it."""

    name: str
    title: str
    hidden: bool


def checks_of(lab: Lab) -> list[ListedCheck]:
    """All checks of a lab, the public ones first, each as it is written in its file."""
    public = [ListedCheck(*check, hidden=False) for check in _checks_in(lab.checks)]
    return public + [ListedCheck(*check, hidden=True) for check in _checks_in(lab.hidden_checks)]


def _checks_in(file: Path) -> Sequence[tuple[str, str]]:
    try:
        source = file.read_bytes()
    except FileNotFoundError:  # learners have no hidden checks
        return ()
    with _PARSING:
        return _named_in(source)


@lru_cache(maxsize=16)
def _named_in(source: bytes) -> Sequence[tuple[str, str]]:
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    tests = [node for node in nodes if node.name.startswith("test")]
    titles = [(ast.get_docstring(node) or "").partition("\n")[0] for node in tests]
    return [(node.name, title.rstrip(".")) for node, title in zip(tests, titles, strict=True)]


# Results are made in threads, and before Python 3.11.8 one thread's ast.parse() could be another's
# SystemError, "AST constructor recursion depth mismatch" (python/cpython issue 106905).
_PARSING = threading.Lock()


def checks_digest(lab: Lab) -> str:
    """SHA-256 of all that judges a lab's programs: its checks, its guide, the reading table."""
    total = hashlib.sha256()
    for file in (lab.checks, lab.hidden_checks, lab.guide, lab.reading):
        content = file.read_bytes() if file.is_file() else b""
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


@cache
def _grader() -> str:
    try:
        number = version("socketlab")
    except PackageNotFoundError:  # a copy that was not installed
        number = "0"
    files = sorted([*KIT.glob("harness/*.py"), *KIT.glob("grading/*.py"), KIT / "peers.py"])
    content = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)
    return f"socketlab {number} ({hashlib.sha256(content).hexdigest()[:12]})"


GRADER = _grader()
