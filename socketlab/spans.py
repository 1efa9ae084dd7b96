"""Recordings as files: spans as JSON lines, in the order of the recording."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from socketlab.conversation import Interest, Span


def write_spans(path: Path, spans: Iterable[Span]) -> None:
    """Write spans to a file, one a line, times in microseconds."""
    lines = [json.dumps(_shortened(asdict(span))) + "\n" for span in spans]
    path.write_text("".join(lines), encoding="ascii")


def read_spans(path: Path) -> tuple[Span, ...]:
    """The spans of a file that `write_spans` wrote. ValueError if it holds anything else."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return tuple(_span(json.loads(line)) for line in lines)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a recording: {error}") from None


def _shortened(values: dict[str, Any]) -> dict[str, Any]:
    """What JSON can carry; what is as always is left out."""
    plain = Span("", "client", "", "", 0.0, 0.0)
    values |= {name: round(values[name], 6) for name in ("start", "end")}
    values = {k: v for k, v in values.items() if k in ("start", "end") or v != getattr(plain, k)}
    return values | ({"data": values["data"].hex()} if "data" in values else {})


def _span(values: dict[str, Any]) -> Span:
    if "data" in values:
        values["data"] = bytes.fromhex(values["data"])
    if "interest" in values:
        values["interest"] = _interest(*values["interest"])
    return Span(**{"conn": "", "side": "client", "thread": "", "call": ""} | values)


def _interest(selector: int, *masks: list[list[Any]]) -> Interest:
    asked, ready = (tuple((str(name), int(mask)) for name, mask in pairs) for pairs in masks)
    return Interest(selector, asked, ready)
