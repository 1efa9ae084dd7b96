"""Verdicts as text for a reader: the count, a line for each check, the first failure explained."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace

from socketlab.harness.schedule import GATED, WAITS
from socketlab.harness.trouble import is_explained
from socketlab.harness.verdicts import Verdict

WIDTH = 92
MARKS = {"pass": "\N{CHECK MARK}", "fail": "\N{BALLOT X}", "skip": "\N{EN DASH}", "error": "!"}


def report(
    title: str, verdicts: Sequence[Verdict], explain_all: bool, how: str, likely: str = ""
) -> str:
    """The whole report. If only the first failure is explained, `how` says how to see all.
    `likely` is what is most likely wrong, in words."""
    failures = [v for v in verdicts if v.outcome in ("fail", "error")]
    shown = failures if explain_all else failures[:1]
    lines = [_count(title, verdicts), "\n".join(lines_of(verdicts)), likely]
    told = f"Read {shown[0].read}." if shown else ""
    if told and told in likely:  # once is enough
        shown[0] = replace(shown[0], read="")
    lines = [*filter(None, lines), *map(explanation, shown)]
    if rest := len(failures) - len(shown):
        lines.append(f"{rest} more {_plural(rest, 'failure')}: {how} explains every failure.")
    return "\n\n".join(lines)


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else noun + "s"


def _count(title: str, verdicts: Sequence[Verdict]) -> str:
    total = len(verdicts)
    passed = sum(verdict.outcome == "pass" for verdict in verdicts)
    return f"{title}: {f'all {total}' if passed == total else f'{passed} of {total}'} checks pass"


def lines_of(verdicts: Sequence[Verdict]) -> list[str]:
    """A line for each check. Checks that were skipped for one reason share a line, and so do
    those that wait for others."""
    skipped: dict[str, list[Verdict]] = {}
    waiting = sum(verdict.happened.startswith(WAITS) for verdict in verdicts)
    for verdict in verdicts:
        if verdict.outcome == "skip":
            waits = waiting > 1 and verdict.happened.startswith(WAITS)
            skipped.setdefault(GATED if waits else verdict.happened, []).append(verdict)
    tried = [f"  {MARKS[v.outcome]} {v.title}" for v in verdicts if v.outcome != "skip"]
    return tried + [_skipped(reason, same) for reason, same in skipped.items()]


def _skipped(reason: str, same: Sequence[Verdict]) -> str:
    what = same[0].title if len(same) == 1 else f"{len(same)} more checks"
    return f"  {MARKS['skip']} {what}: {reason}"


def explanation(verdict: Verdict) -> str:
    """One failure in full: the steps, the bytes, the program, the meaning, what to read."""
    seen = {"sent": verdict.sent, "got": verdict.got, "wanted": verdict.wanted}
    paragraphs = [
        "\n".join(verdict.steps),
        wrapped(verdict.happened),
        "\n".join(f"{name:<6}  {text}" for name, text in seen.items() if text),
        wrapped(verdict.program),
        "" if is_explained(verdict.program) else wrapped(verdict.means),
        f"Read {verdict.read}." if verdict.read else "",
        f"The data were random. --seed {verdict.seed} sends the same again."
        if verdict.seed
        else "",
    ]
    body = "\n\n".join(filter(None, paragraphs))
    return f"{MARKS[verdict.outcome]} {verdict.title}\n\n{textwrap.indent(body, '  ')}"


def likely(name: str, cause: str, read: str) -> str:
    """A diagnosis in words."""
    paragraphs = [wrapped(cause), f"Read {read}." if read else ""]
    body = textwrap.indent("\n\n".join(filter(None, paragraphs)), "  ")
    return f"{wrapped(f'Most likely, your program {name}.')}\n\n{body}"


def wrapped(text: str) -> str:
    """Sentences wrapped, indented lines (code) as they are."""
    lines = text.splitlines()
    return "\n".join(t if t.startswith(" ") else textwrap.fill(t, WIDTH) for t in lines)
