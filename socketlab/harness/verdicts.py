"""What the checks found: one verdict a check, as JSON lines that end with a final record."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

LONGEST_TEXT = 4000  # characters
MOST_TEXTS = 50  # steps, or signs

Outcome = Literal["pass", "fail", "skip", "error"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check found. `name` is the check's function, `title` the sentence it proves.

    For a failure: `steps` is what was done, `happened` what went wrong, then the bytes `sent`,
    `got` and `wanted`, what the `program` did, what it `means` and what to `read`. `signs` are
    for the diagnosis; `seed` is that of the check's random data, "" if it used none.
    For "skip", `happened` is the reason; for "error" the check itself is at fault.
    """

    name: str
    title: str
    outcome: Outcome
    steps: tuple[str, ...] = ()
    happened: str = ""
    sent: str = ""
    got: str = ""
    wanted: str = ""
    program: str = ""
    means: str = ""
    read: str = ""
    signs: tuple[str, ...] = ()
    seed: str = ""


class BrokenStreamError(ValueError):
    """The stream of verdicts is cut short or damaged: it says nothing about the program."""


def verdict_line(verdict: Verdict) -> str:
    """One verdict as one line of JSON, newline included. Texts that are too long lose their
    middle; what cannot be written as UTF-8 is written as its number."""
    values = {name: _fit(value) for name, value in asdict(verdict).items()}
    return json.dumps({"verdict": values}) + "\n"


def _fit(value: str | tuple[str, ...]) -> str | list[str]:
    if not isinstance(value, str):
        return [str(_fit(text)) for text in value[:MOST_TEXTS]]
    if len(value) > LONGEST_TEXT:
        value = f"{value[: LONGEST_TEXT // 2]} ... {value[-LONGEST_TEXT // 2 :]}"
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def final_line(count: int) -> str:
    """The final record, newline included: so many verdicts came before it."""
    return json.dumps({"end": count}) + "\n"


def read_verdict(line: str) -> Verdict:
    """The verdict on one line. BrokenStreamError if it is none."""
    return _verdict(_record(line).get("verdict"))


def read_verdicts(lines: Iterable[str]) -> list[Verdict]:
    """The verdicts of a whole stream. BrokenStreamError if any part of it is missing or odd."""
    records = [_record(line) for line in lines]
    verdicts = [_verdict(record["verdict"]) for record in records[:-1] if "verdict" in record]
    if not records or records[-1] != {"end": len(verdicts)} or len(records) != len(verdicts) + 1:
        raise BrokenStreamError("the verdicts do not end with their final record")
    return verdicts


def _record(line: str) -> dict[str, object]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or len(record) != 1:
        raise BrokenStreamError(f"not a verdict: {line[:80]!r}")
    return record


def _verdict(values: object) -> Verdict:
    if not isinstance(values, dict) or set(values) != {field.name for field in fields(Verdict)}:
        raise BrokenStreamError("a verdict has the wrong fields")
    lists = {name: values.pop(name) for name in ("steps", "signs")}
    if not all(map(_texts, [*lists.values(), list(values.values())])):
        raise BrokenStreamError("a verdict holds something that is not text")
    if values["outcome"] not in get_args(Outcome):
        raise BrokenStreamError(f"no such outcome: {values['outcome']!r}")
    return Verdict(**{name: tuple(texts) for name, texts in lists.items()}, **values)


def _texts(values: object) -> bool:
    return isinstance(values, list) and all(map(_is_text, values))


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(value.encode("utf-8") or True)
    except UnicodeEncodeError:  # half a character
        return False
