"""A learner's program in pictures: the conversation of a failed check, and its timeline."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from socketlab.conversation import Span
from socketlab.figures import Picture, draw_ladder, draw_lanes
from socketlab.harness.runner import run_checks
from socketlab.harness.verdicts import Verdict
from socketlab.learner import Lab, find_lab
from socketlab.spans import read_spans, write_spans
from socketlab.words import describe

SCENE = "test_scene"
YOURS, REFERENCE = "Your program", "The reference"


def timeline(lab: str | int | os.PathLike[str], program: str | os.PathLike[str] = "") -> Picture:
    """Your program and the reference, each with the same clients, on one time axis.

    `lab` is a number, a name or the path of your file; `program` another file in its place. Your
    program runs in a process of its own. Raises UnknownLabError, and ValueError for a lab that
    has no timeline.
    """
    found, own_file = find_lab(lab)
    if not found.scene.is_file():
        raise ValueError(f"{found.title} has no timeline: nobody connects to its program.")
    verdict, spans = record_check(Path(program) if program else own_file, found.scene, SCENE)
    reference = read_spans(found.scene.with_suffix(".jsonl"))
    if not _connected(spans):
        told = [f"Your program took part in no connection. {verdict.happened}", verdict.program]
        picture = draw_lanes(reference, titles=[REFERENCE], subtitles=[f"{verdict.title}."])
        picture.words = "\n".join([*filter(None, told), "", f"{REFERENCE}:", picture.words])
        return picture
    subtitles = [verdict.happened or f"{verdict.title[:1].upper()}{verdict.title[1:]}.", ""]
    titles = [YOURS, REFERENCE]
    picture = draw_lanes(spans, reference, titles=titles, subtitles=subtitles)
    both = zip(titles, (spans, reference), strict=True)
    picture.words = "\n\n".join(f"{title}:\n{describe(each)}" for title, each in both)
    return picture


def keep_reference(lab: Lab, solution: Path) -> None:
    """Record a right program as the reference of the lab's timeline. ValueError if it fails."""
    verdict, spans = record_check(solution, lab.scene, SCENE)
    if verdict.outcome != "pass":
        raise ValueError(f"{solution} fails its scene: {verdict.happened}")
    write_spans(lab.scene.with_suffix(".jsonl"), spans)


def failing_conversation(program: Path, checks: Path, failed: Verdict, seed: int = 1) -> Picture:
    """The conversation in which a check failed, recorded by trying that check once more."""
    verdict, spans = record_check(program, checks, failed.name, seed)
    if not (names := _connected(spans)):
        happened = verdict.happened or "The check passes now."
        raise ValueError(f"Your program had no conversation in this check. {happened}")
    last = max((s for s in spans if s.conn in names and s.side == "client"), key=lambda s: s.end)
    return draw_ladder(
        spans, connection=last.conn, title=failed.title, subtitle=verdict.happened or None
    )


def record_check(
    program: Path, checks: Path, name: str, seed: int = 1
) -> tuple[Verdict, tuple[Span, ...]]:
    """Try one check, recorded: its verdict, and the spans of its own sockets and the program's.

    Time begins when the first connection is made.
    """
    with tempfile.TemporaryDirectory(prefix="socketlab-") as folder:
        path = Path(folder) / "spans"
        [verdict] = run_checks(program, [checks], only=name, recording=path, seed=seed)
        return verdict, tuple(_from_the_first(read_spans(path)))


def _connected(spans: Sequence[Span]) -> set[str]:
    """The connections that both sides took part in."""
    sides = [{span.conn for span in spans if span.side == side} for side in ("client", "server")]
    return (sides[0] & sides[1]) - {""}


def _from_the_first(spans: Sequence[Span]) -> list[Span]:
    zero = min((span.start for span in spans if span.call.startswith("connect")), default=0.0)
    late = [span for span in spans if span.end >= zero]
    return [replace(s, start=max(0.0, s.start - zero), end=s.end - zero) for s in late]
