"""A learner's program in pictures: the conversation of a failed check, and its timeline."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from socketlab.conversation import Conversation, Side, Span, conversation
from socketlab.figures import Picture, draw_ladder
from socketlab.figures.lanes import draw_lanes
from socketlab.harness.runner import run_checks
from socketlab.harness.verdicts import Verdict
from socketlab.learner import Lab, find_lab
from socketlab.spans import read_spans, write_spans
from socketlab.temporary import own_folder
from socketlab.words import describe_connection, describe_lanes

SCENE = "test_scene"
YOURS, REFERENCE = "Your program", "The reference"
PROGRAM, FUNCTION = "program", "function"  # main threads of what is recorded
UNNAMED = ("MainThread", "visitor")  # threads of a scene that say nothing of their connection
NOTHING = "There is nothing to draw:"
OPENING = ("connect", "accept")


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
    side = _side(reference)
    if not _connected(spans):
        told = f"Your program took part in no connection. {verdict.happened}"
        told = "\n".join(filter(None, [told, verdict.program]))
        return _lanes(side, {REFERENCE: (reference, _short(told))}, told)
    told = "\n".join(filter(None, [verdict.happened, verdict.program]))
    mine = spans, _short(told or _sentence(verdict.title))
    return _lanes(side, {YOURS: mine, REFERENCE: (reference, "")}, told)


Panels = dict[str, tuple[Sequence[Span], str]]  # spans and a subtitle, by title


def _lanes(side: Side, panels: Panels, told: str = "") -> Picture:
    """Lanes with the threads of one side, and each connection called what its scene says."""
    found = [conversation(spans) for spans, _ in panels.values()]
    names = [_names(spans, side) for spans, _ in panels.values()]
    words = [
        f"{title}:\n{_words(*each, side)}"
        for title, *each in zip(panels, found, names, strict=True)
    ]
    headings = {"titles": [*panels], "subtitles": [subtitle for _, subtitle in panels.values()]}
    text = "\n\n".join([told, *words] if told else words)
    return draw_lanes(*found, **headings, names=names, threads=side, words=text)


def _words(found: Conversation, names: dict[str, str], side: Side) -> str:
    if len(found.connections) == 1:
        return describe_connection(found.connections[0])
    return describe_lanes(found, names, side)


def _short(told: str) -> str:
    """The lines of a report that are no lines of code, as one paragraph."""
    lines = [line for line in told.splitlines() if not line.startswith("    ")]
    return " ".join(f"{line[:-1]}." if line.endswith(":") else line for line in lines)


def _sentence(title: str) -> str:
    return f"{title[:1].upper()}{title[1:]}."


def _side(reference: Sequence[Span]) -> Side:
    """On which side the program of a lab is."""
    return next(span.side for span in reference if span.thread == PROGRAM and span.conn)


def _names(spans: Sequence[Span], side: Side) -> dict[str, str]:
    """The letters of connections, and what the scene calls them: its threads have these names."""
    theirs = [span for span in spans if span.side != side and span.conn]
    letters = {span.conn: span.conn for span in spans if span.conn}
    named = [span for span in theirs if not span.thread.startswith(UNNAMED)]
    return letters | {span.conn: span.thread for span in named}


def keep_reference(lab: Lab, solution: Path) -> None:
    """Record a right program as the reference of the lab's timeline. ValueError if it fails."""
    verdict, spans = record_check(solution, lab.scene, SCENE)
    if verdict.outcome != "pass":
        raise ValueError(f"{solution} fails its scene: {verdict.happened}")
    write_spans(lab.scene.with_suffix(".jsonl"), spans)


def failing_conversation(program: Path, checks: Path, failed: Verdict, seed: int = 1) -> Picture:
    """The conversation in which a check failed, recorded by trying that check once more."""
    verdict, spans = record_check(program, checks, failed.name, seed)
    happened = verdict.happened or "The check passes now."
    if not (names := _connected(spans)):
        raise ValueError(f"{NOTHING} your program had no conversation in this check. {happened}")
    last = max((s for s in spans if s.conn in names and s.side == "client"), key=lambda s: s.end)
    heading = {"title": failed.title, "subtitle": verdict.happened or None}
    if last.thread != FUNCTION:
        return draw_ladder(spans, connection=last.conn, **heading)
    spans = tuple(s for s in spans if s.conn == last.conn and s.call not in OPENING)
    if last.call in OPENING:
        raise ValueError(f"{NOTHING} your function neither sent nor received anything. {happened}")
    if verdict.wanted:
        heading["subtitle"] = (
            f"{happened.rstrip('.')}. Wanted: {verdict.wanted}. Got: {verdict.got}."
        )
    return draw_ladder(spans, **heading, sides=("your function", "its peer"))


def record_check(
    program: Path, checks: Path, name: str, seed: int = 1
) -> tuple[Verdict, tuple[Span, ...]]:
    """Try one check, recorded: its verdict, and the spans of its own sockets and the program's.

    Time begins when the first connection is made.
    """
    with own_folder() as folder:
        path = folder / "spans"
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
