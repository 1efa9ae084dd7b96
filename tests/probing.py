"""A lab with one check that tells what the program wrote, and ways to grade programs with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from socketlab.grading.grade import grade_one
from socketlab.grading.result import Result
from socketlab.grading.sandbox import TITLES, sandboxes
from socketlab.grading.uids import am_root
from socketlab.learner import Lab

PROBED = Path(__file__).with_name("probed.py")
CHECKS = '''
import json, re
from socketlab.harness import lab_check

@lab_check()
def test_tells(start, bench):
    """it tells what it can do"""
    told = {}
    for case in re.findall(r"^def case_(\\w+)", bench.path.read_text(), re.MULTILINE):
        program = start(case)
        program.wait_ended(60)
        told[case] = [*program.stdout.splitlines(), f"ended {program.exit_code}"]
        told[case] += program.stderr.splitlines()[-1:]
        program.stop()
    raise start("").failed(json.dumps(told))
'''
HIDDEN = '''
from socketlab.harness import lab_check

@lab_check()
def test_hidden(functions):
    """SECRET of the hidden checks"""
'''
HERE = {sandbox.tier: sandbox for sandbox in sandboxes()}


def tier(name: str, *, but: str = "") -> object:
    """A parameter: the sandbox of this tier, skipped by name where it does not work."""
    why = but or f"{TITLES[name]} does not work here"
    return pytest.param(name, marks=pytest.mark.skipif(name not in HERE or bool(but), reason=why))


EVERY = [tier("A"), tier("B"), tier("C")]
CLOSED = [tier("A"), tier("B")]  # what is not the program's cannot be reached
# As an ordinary user, tier C promises nothing but limits.
ALONE = [*CLOSED, tier("C", but="" if am_root() else "C shares its user with the grader")]
linux = pytest.mark.skipif(sys.platform != "linux", reason="these sandboxes are Linux's")


def make_lab(root: Path, checks: str = CHECKS, hidden: str = HIDDEN) -> Lab:
    """A lab of its own in this folder."""
    lab = Lab(root / "course", "07_probe")
    for path, text in (
        (lab.program, ""),
        (lab.checks, checks),
        (lab.hidden_checks, hidden),
        (lab.reading, ""),
        (lab.root / "solutions" / "07_probe.py", "SECRET = 'the solution'"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return lab


def graded(lab: Lab, source: str, tier: str, **how: object) -> Result:
    """The result of a program in a sandbox."""
    return grade_one(dedent(source).encode(), lab, sandbox=HERE[tier], **how)  # type: ignore[arg-type]


def told(lab: Lab, tier: str, **given: object) -> dict[str, list[str]]:
    """What each case of probed.py wrote in a sandbox, and how it ended."""
    source = PROBED.read_text(encoding="utf-8").replace("GIVEN = {}", f"GIVEN = {given!r}")
    if tier == "C" and not am_root():
        for case in ("kills", "traces", "forges", "changes_its_file"):  # nothing keeps it from us
            source = source.replace(f"def case_{case}(", f"def left_out_{case}(")
    result = graded(lab, source, tier)
    first = result.verdicts[0]
    assert (result.status, first.outcome) == ("graded", "fail"), (result.problem, first)
    return json.loads(first.happened)
