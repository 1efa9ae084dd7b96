"""A failed check as the rows of a conversation: who did what, what came of it, what was wanted.

Words in, rows out: what a verdict says in steps becomes arrows between two ends. Nothing is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from socketlab.harness.verdicts import Verdict

Kind = Literal["send", "receive", "signal", "hang up", "missing", "wanted", "note", "gap"]
Doing = Literal["", "waits", "busy", "stopped"]

# What a talker does, as the harness words it: kind of row, what stands on the arrow, the call.
VERBS: tuple[tuple[str, Kind, str, str], ...] = (
    (r"connects", "signal", "handshake", "connect()"),
    (r"sends and sends, and (?P<note>.*)", "send", "all that it takes", "send()"),
    (r"sends in (?P<note>\d+ pieces): (?P<text>.*)", "send", "", "send()"),
    (r"sends (?P<note>\d+ messages at once): (?P<text>.*)", "send", "", "send()"),
    (r"sends (?P<text>.*), (?P<note>byte by byte)", "send", "", "send()"),
    (r"sends (?P<text>.*)", "send", "", "send()"),
    (r"is done sending: (?P<call>\S+)", "signal", "end of stream", ""),
    (r"closes its connection", "signal", "end of stream", "close()"),
    (r"resets its connection", "signal", "reset", "close()"),
    (r"waits until the program connects", "receive", "handshake", "accept()"),
    (r"waits for the end of the stream", "receive", "end of stream", "recv()"),
    (r"waits for (?P<text>.*)", "receive", "", "recv()"),
    (r"reads up to the end of the stream", "receive", "all there is", "recv()"),
)
WHO = re.compile(r"(the peer of \w+|(?:client|server|visitor|peer)(?: \w+)?) (?=[a-z])")
CALLED = re.compile(r"(?P<text>.*) is called", re.DOTALL)
DASHED = {"handshake", "end of stream", "reset"}  # the kernel's doing


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `kind` says what is drawn: an arrow to the program ("send", "signal") or back
    ("receive", "hang up", "wanted"), one that never comes ("missing"), words ("note"), steps
    left out ("gap"). `who` talks with the program, `call` and `note` stand beside it, `text` is
    on the arrow; `failed` marks what is wrong, `by_kernel` what no send() did."""

    kind: Kind
    text: str = ""
    who: str = ""
    call: str = ""
    note: str = ""
    failed: bool = False

    @property
    def by_kernel(self) -> bool:
        """Whether it is a handshake, an end or a reset."""
        return self.text in DASHED


@dataclass(frozen=True, slots=True)
class Exchange:
    """A conversation up to its failure. `outcome` is the place of the first row of what went
    wrong; from there on the program is `doing` something, `at` a call or a line."""

    rows: tuple[Row, ...]
    outcome: int
    doing: Doing = ""
    at: str = ""
    line: str = ""

    @property
    def talkers(self) -> tuple[str, ...]:
        """Who talks with the program, in order of appearance."""
        return tuple(dict.fromkeys(row.who for row in self.rows if row.who))


def exchange(verdict: Verdict) -> Exchange:
    """The conversation that a verdict tells of."""
    steps = [re.sub(r"^\d+\. ", "", step) for step in verdict.steps]
    rows = [_row(step, last=number == len(steps)) for number, step in enumerate(steps, 1)]
    who = next((row.who for row in reversed(rows) if row.who), "")
    if verdict.sent and not any(verdict.sent in step for step in steps):
        rows.append(Row("send", verdict.sent, who, "send()"))
    doing, at, line = _doing(verdict)
    return Exchange((*rows, *_outcome(verdict, who)), len(rows), doing, at, line)


def _row(step: str, last: bool) -> Row:
    if step == "...":
        return Row("gap")
    if called := CALLED.fullmatch(step):
        return Row("send", called["text"], call="call")
    found = WHO.match(step)
    who, rest = (found[1], step[found.end() :]) if found else ("", step)
    for pattern, kind, text, call in VERBS if found else ():
        if parts := re.fullmatch(pattern, rest, re.DOTALL):
            told = parts.groupdict()
            text, call = told.get("text") or text, told.get("call") or call
            if kind == "receive" and last:  # it did not come: what did is the outcome
                told_of = "a connection" if text == "handshake" else text
                return Row("note", f"waits for {told_of}", who, call)
            return Row(kind, text, who, call, told.get("note") or "")
    return Row("note", step, who)


def _outcome(verdict: Verdict, who: str) -> Iterator[Row]:
    """What came back, and what was wanted."""
    early = "early end" in verdict.signs
    if verdict.got not in ("", "nothing"):
        yield Row("receive", verdict.got, who, failed=True)
    elif verdict.wanted and not early:
        yield Row("missing", "nothing", who, failed=True)
    if early:
        yield Row("hang up", "end of stream", who, failed=True)
    if verdict.wanted:
        yield Row("wanted", verdict.wanted, who)


def _doing(verdict: Verdict) -> tuple[Doing, str, str]:
    """What the program did meanwhile, in which call or line."""
    signs = verdict.signs
    crash = next((sign[6:] for sign in signs if sign.startswith("crash ")), "")
    at = next((f"{sign[3:]}()" for sign in signs if sign.startswith("at ")), "")
    line = re.search(r"\b[Ll]ine (\d+)", verdict.program)
    place = f"line {line[1]}" if line else ""
    if crash:
        return "stopped", crash, place
    doing: Doing = "busy" if "busy" in signs else "waits" if "waits" in signs else ""
    return doing, f"in {at}" if at and doing == "waits" else "", place


def words(told: Exchange) -> str:
    """The conversation in sentences, for who cannot see the picture."""
    return " ".join(filter(None, (*map(_words, told.rows), _done(told))))


def _words(row: Row) -> str:
    who = row.who or "The check"
    said = {
        "send": f"{who} sends {row.text}.",
        "signal": f"{who}: {row.call}, {row.text}.",
        "receive": f"{'This' if row.failed else who} {_got(row)} {row.text}.",
        "hang up": "Your program ends the stream.",
        "missing": "Nothing comes back.",
        "wanted": f"Wanted: {row.text}.",
        "note": f"{row.who if row.call else ''} {row.text}.".lstrip(),
        "gap": "Some steps later:",
    }
    said["send"] = f"{row.text} is called." if row.call == "call" else said["send"]
    return said[row.kind][:1].upper() + said[row.kind][1:]


def _got(row: Row) -> str:
    return "comes back:" if row.failed else "receives"


def _done(told: Exchange) -> str:
    where = " ".join(filter(None, (told.at, told.line and f"at {told.line}")))
    said = {"": "", "waits": "Your program waits", "busy": "Your program is busy"}
    said["stopped"] = "Your program stopped with"
    return f"{said[told.doing]} {where}".rstrip() + "." if told.doing else ""
