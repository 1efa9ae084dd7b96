"""A class made by hand: learners whose names, files and programs are as hostile as they come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from socketlab.grading.result import Grade, Override, Result
from socketlab.grading.submission import Person, Refusal, Submission
from socketlab.harness.verdicts import Verdict
from socketlab.learner import Lab

ROOT = Path(__file__).parent.parent
LAB = Lab(ROOT, "04_multi_connection_server")
WHEN = datetime(2026, 10, 2, 16, 40, tzinfo=UTC)
HOSTILE = (
    "<script>document.title = 'taken'</script>",
    "</style><style>body { display: none }</style>",
    '"><img src=x onerror="document.title = \'taken\'">',
    "</svg><svg onload=\"document.title = 'taken'\">",
    "{{ 7 * 191 }}{% raw %}]]><!--",
    "=HYPERLINK(0)",
    " \t@SUM(1+1)*cmd|' /C calc'!A0",
    "\x1b[31;1mred\x1b[0m\x9b2J",
    "nul\0, half \ud800 a pair, not \uffff a character",
    "one\r\ntwo\u2028three, 'four' \"five\"",
    "\u202eright to left\u2066\u200f\ufeff",
)
ALL = " ".join(HOSTILE)
SECRET = "secret-7f3a"  # part of everything that a hidden check must not tell
FIELDS = ("happened", "sent", "got", "wanted", "program", "means", "read", "seed")


def failure(name: str, text: str, **values: Any) -> Verdict:
    """A check that fails, with this text wherever text can be."""
    steps = ("1. client 1 connects", f"2. client 1 sends {text}", f"3. {text}")
    told: dict[str, Any] = {field: f"{field} {text}" for field in FIELDS}
    told |= {"signs": ("silence", "waits", f"at {text}"), "steps": steps}
    return Verdict(
        **({"name": name, "title": f"title of {name}", "outcome": "fail"} | told | values)
    )


def secret(name: str) -> Verdict:
    """What a hidden check found: nothing of it but its title may be told."""
    return failure(f"{SECRET}_{name}", SECRET, title=f"hidden title {name}")


def result(*verdicts: Verdict, hidden: tuple[str, ...] = (), **values: Any) -> Result:
    """A result of lab 04 with these verdicts."""
    told: dict[str, Any] = {"lab": LAB.name, "digest": "d" * 64, "checks": "c" * 64}
    told |= {"grader": "1", "sandbox": "A bubblewrap", "seed": 7, "status": "graded"}
    return Result(verdicts=verdicts, hidden=hidden, **(told | values))


def mixed(text: str = "b'hello' (5 bytes)") -> Result:
    """One check of each outcome in public, and hidden ones; `text` wherever text can be."""
    public = (
        Verdict("test_listens", "it listens", "pass"),
        failure("test_echo", text),
        Verdict("test_late", "it waits", "skip", happened="not tried until this passes: x"),
        Verdict("test_v6", "IPv6", "skip", happened="no IPv6 on this machine"),
        Verdict("test_broken", "a broken check", "error", happened=f"KeyError {text}"),
    )
    waits = Verdict(
        f"{SECRET}_skip", "hidden, waits", "skip", happened=f"not tried until {SECRET}"
    )
    hidden = (secret("one"), waits, Verdict(f"{SECRET}_pass", "hidden, passes", "pass"))
    likely = {"diagnosis": f"forgets {text}", "cause": f"cause {text}", "read": f"read {text}"}
    names = tuple(verdict.name for verdict in hidden)
    hints = (f"first hint {text}", "second hint")
    return result(*public, *hidden, hidden=names, hints=hints, problem=SECRET, **likely)


def grade(student: str, found: Result | None = None, **values: Any) -> Grade:
    """A grade without rules: what the checks gave."""
    person = Person(student, values.pop("name", student.title()), f"{student}@example.org")
    source = b"print('hello')\n"
    if found:
        earned = float(found.points)
        values = {"points": earned, "out_of": float(found.out_of), "earned": earned} | values
        names = {"student": student, "name": f"all.zip/{student}/lab.py"}
        handed_in = Submission(source=source, handed_in=WHEN, **names)
        values = {"result": found, "submission": handed_in, "attempts": 1} | values
    return Grade(**{"person": person, "lab": LAB.name, "points": 0.0, "out_of": 7.0} | values)


def a_class() -> list[Grade]:
    """Twelve learners: hostile texts one by one, all at once, and every fate."""
    grades = [grade(f"s{number}", mixed(text), name=text) for number, text in enumerate(HOSTILE)]
    late = {"late": timedelta(days=1, hours=3), "lost": 0.5, "points": 1.5}
    given = Override("s13", LAB.name, 6.5, f"reason {ALL}", f"by {ALL}", WHEN)
    refused = Refusal("s14", f"file {ALL}", f"reason {ALL}")
    right = result(Verdict("test_listens", "it listens", "pass"))
    return [
        *grades,
        grade("s12", mixed(ALL), name=ALL, **late),
        grade("s13", mixed(), override=given, points=6.5),
        grade("s14", refusals=(refused,)),
        grade("s15"),
        grade("s16", result(status="timeout", problem="It took 180 seconds.\nmore")),
        grade("s17", result(status="broken", problem=f"The checks stopped.\n{SECRET}")),
        grade("s18", right),
        grade(ALL, mixed(ALL)),
    ]


def crowd(count: int, size: int = 1_000_000) -> Iterator[Grade]:
    """Many learners, one at a time: each result holds about `size` characters of its own."""
    for number in range(count):
        text = f"{number:064}"
        plain = failure("test_b", text, steps=())  # no ladder: that takes time, not memory
        large = failure("test_hidden", text * (size // 64 // 12))
        yield grade(f"s{number:04}", result(plain, large, hidden=("test_hidden",)))
