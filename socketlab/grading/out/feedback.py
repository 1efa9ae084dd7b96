"""The page that one learner gets back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from markupsafe import Markup

from socketlab.grading.out import told
from socketlab.grading.out.charts import meter
from socketlab.grading.out.exchange import exchange
from socketlab.grading.out.ladder import ladder
from socketlab.grading.out.pages import render
from socketlab.grading.out.told import Told
from socketlab.grading.result import Grade, Result
from socketlab.grading.submission import Submission
from socketlab.harness.trouble import is_explained
from socketlab.learner import Lab


@dataclass(frozen=True, slots=True)
class Failure:
    """A public check that fails, its `place` among all checks and its conversation, drawn."""

    check: Told
    place: int
    drawn: Markup | None

    @property
    def means(self) -> bool:
        """Whether to say what a failure means: not where the program's own error does."""
        return not is_explained(self.check.verdict.program)


def feedback(grade: Grade, lab: Lab, course: str = "") -> str:
    """One learner's page, as HTML. `course` is what the class is called."""
    checks, result = told.told(grade.result), grade.result
    values: dict[str, Any] = {"grade": grade, "person": grade.person, "lab": lab, "checks": checks}
    values |= {"result": result, "refusals": grade.refusals, "course": course or "socketlab"}
    values |= {"told": _counted(checks), "adjustments": told.adjustments(grade)}
    values |= {"problem": told.problem(result), "failures": list(_failures(checks))}
    values["hidden"] = told.HIDDEN if any(check.hidden for check in checks) else ""
    values["waiting"] = any(check.word == "not tried" for check in checks)
    values["meter"] = meter(grade.points, grade.out_of)
    values["command"] = command(lab, result) if result else ""
    values["facts"] = list(_facts(result, grade.submission, grade.attempts)) if result else []
    return render("feedback.html", **values)


def command(lab: Lab, result: Result) -> str:
    """What to type to try the public checks again, with the same random data."""
    return f"socketlab check {lab.name[:2]} --all --seed {result.seed}"


def _counted(checks: Sequence[Told]) -> str:
    """How many checks pass, public and hidden apart."""
    said = []
    for word, hidden in (("public", False), ("hidden", True)):
        some = [check for check in checks if check.hidden is hidden]
        passed, of = told.count(some)
        if some:
            said.append(f"{passed} of {of} {word} checks pass")
    return f"{', '.join(said)}." if said else ""


def _failures(checks: Sequence[Told]) -> Iterator[Failure]:
    for place, check in enumerate(checks, 1):
        if check.failed and not check.hidden:
            verdict = check.verdict
            drawn = ladder(exchange(verdict)) if verdict.steps else None
            yield Failure(check, place, drawn)


def _facts(
    result: Result, submission: Submission | None, attempts: int
) -> Iterator[tuple[str, str]]:
    """What was graded, and with what: names and values."""
    if submission:
        yield "File", submission.name
        if submission.handed_in:
            when = submission.handed_in.astimezone(UTC)
            yield "Handed in", f"{when:%Y-%m-%d %H:%M} UTC"
        yield "Attempt", f"{submission.attempt} of {max(attempts, submission.attempt)}"
    yield "Program", f"SHA-256 {result.digest[:16]}"
    yield "Graded by", f"socketlab {result.grader}, checks {result.checks[:16]}"
    yield "Sandbox", result.sandbox
