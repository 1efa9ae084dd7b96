"""result.json: one submission's result for other programs. Its schema is part of the package."""

from __future__ import annotations

import json
from datetime import UTC
from importlib.resources import files
from typing import Any

from socketlab.grading.out import told
from socketlab.grading.out.clean import well_formed
from socketlab.grading.out.told import Told
from socketlab.grading.result import Grade, Result
from socketlab.grading.submission import Submission

SCHEMA: dict[str, Any] = json.loads(
    files("socketlab.grading.out").joinpath("result.schema.json").read_text(encoding="utf-8")
)
SHOWN = ("happened", "sent", "got", "wanted", "program", "means", "read", "seed")


def write_result(
    result: Result, submission: Submission, grade: Grade | None = None
) -> dict[str, Any]:
    """A result as `SCHEMA` describes it: what its learner may know. With `grade`, also what came
    of it after late rules and overrides."""
    value: dict[str, Any] = {"format": SCHEMA["$id"], "lab": result.lab}
    value |= _handed_in(submission)
    value |= {"checks_digest": result.checks, "grader": result.grader}
    value |= {"sandbox": result.sandbox, "seed": result.seed, "status": result.status}
    value |= {"problem": told.problem(result), "points": result.points, "out_of": result.out_of}
    value |= {"likely": _likely(result), "hints": list(result.hints)}
    value["checks"] = [_check(check) for check in told.told(result)]
    if grade:
        value["grade"] = _grade(grade)
    return _clean(value)


def json_text(value: object) -> str:
    """A value as a JSON file: ASCII only, so that no terminal obeys what is in it."""
    return json.dumps(value, indent=1) + "\n"


def _handed_in(submission: Submission) -> dict[str, Any]:
    when = submission.handed_in
    return {
        "student": submission.student,
        "file": submission.name,
        "handed_in": f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if when else None,
        "attempt": submission.attempt,
        "digest": submission.digest,
    }


def _likely(result: Result) -> dict[str, str] | None:
    if not result.diagnosis:
        return None
    return {"mistake": result.diagnosis, "cause": result.cause, "read": result.read}


def _check(check: Told) -> dict[str, Any]:
    verdict = check.verdict
    value: dict[str, Any] = {"title": verdict.title, "outcome": verdict.outcome}
    value |= {"hidden": check.hidden, "points": check.points, "out_of": int(check.counts)}
    if check.hidden:
        return value
    shown = {name: getattr(verdict, name) for name in SHOWN if getattr(verdict, name)}
    return {"name": verdict.name, **value, "steps": list(verdict.steps), **shown}


def _grade(grade: Grade) -> dict[str, Any]:
    given = grade.override
    return {
        "points": grade.points,
        "out_of": grade.out_of,
        "earned": grade.earned,
        "late_seconds": int(grade.late.total_seconds()),
        "lost": grade.lost,
        "override": {"points": given.points, "reason": given.reason} if given else None,
    }


def _clean(value: Any) -> Any:
    """The same value, all its texts well formed."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {key: _clean(each) for key, each in value.items()}
    return value
