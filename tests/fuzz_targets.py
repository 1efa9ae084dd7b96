"""What is fuzzed: for each reader a maker of cases that are nearly right, and what must hold."""

from __future__ import annotations

import contextlib
import io
import json
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from socketlab.grading.archives import list_archive
from socketlab.grading.files import Budget, Limits, UnreadableError
from socketlab.grading.roster import RosterError, parse_roster
from socketlab.harness.verdicts import (
    BrokenStreamError,
    Verdict,
    final_line,
    read_verdict,
    read_verdicts,
    verdict_line,
)

Case = object


@dataclass(frozen=True)
class Target:
    """What is fuzzed: a maker of cases, and a test of one: whether it was accepted."""

    make: Callable[[random.Random], Case]
    holds: Callable[[Case], bool]


# Bytes that are nearly right

ODD_BYTES = (
    b"",
    b"\0",
    b"\n",
    b"\r",
    b'"',
    b"\\",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"9" * 40,
)


def spoilt(rng: random.Random, data: bytes) -> bytes:
    """The data after up to four changes: cut, doubled, moved or odd pieces, other bits."""
    for _ in range(rng.randint(0, 4)):
        begin, end = sorted(rng.randint(0, len(data)) for _ in range(2))
        piece = data[begin : min(end, begin + rng.choice((1, 8, 1 << 20)))]
        data = rng.choice(
            (
                data[:begin] + data[begin + len(piece) :],
                data[:begin] + piece + data[begin:],
                data[:begin] + rng.choice(ODD_BYTES) + data[begin + len(piece) :],
                data[:begin] + rng.randbytes(len(piece) % 16) + data[begin + len(piece) :],
                data[:end] + piece + data[end:],
                data[:begin],
            )
        )
    return data


ODD_VALUES = (
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    "",
    "pass",
    "\ud800",
    [],
    [[]],
    {},
    {"end": 1},
    float("nan"),
)


def other_value(rng: random.Random, value: object) -> object:
    """The JSON value with one place in it changed."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.8:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = rng.choice(places)
        copy = dict(value) if isinstance(value, dict) else list(value)
        if rng.random() < 0.15:
            del copy[place]
        else:
            copy[place] = other_value(rng, copy[place])
        return copy
    return rng.choice(ODD_VALUES)


# Verdicts


def made_verdict(rng: random.Random) -> Verdict:
    """A verdict of any outcome, with any text."""
    texts = ("", "a text", "\0 \x1b[2J", "é €", '"}\n{"end": 1}', "\u2028", "x" * 300)
    values = {each.name: rng.choice(texts) for each in fields(Verdict)}
    for name in ("steps", "signs"):
        values[name] = tuple(rng.choices(texts, k=rng.randint(0, 3)))
    return Verdict(**values | {"outcome": rng.choice(("pass", "fail", "skip", "error"))})


def verdict_stream(rng: random.Random) -> bytes:
    """A stream of verdicts in which something may be wrong."""
    lines = [verdict_line(made_verdict(rng)) for _ in range(rng.randint(0, 4))]
    lines.append(final_line(len(lines) + rng.choice((0, 0, 0, 1, -1))))
    if rng.random() < 0.5:
        at = rng.randrange(len(lines))
        lines[at] = json.dumps(other_value(rng, json.loads(lines[at]))) + "\n"
    if rng.random() < 0.05:
        lines.insert(0, rng.choice(("[", '{"verdict":')) * 100_000 + "\n")
    data = "".join(lines).encode()
    return spoilt(rng, data) if rng.random() < 0.5 else data


def holds_for_verdicts(case: Case) -> bool:
    """Verdicts of exactly the right types come out, those that went in; or BrokenStreamError."""
    assert isinstance(case, bytes)
    lines = case.decode(errors="replace").splitlines(keepends=True)
    for line in lines:
        with contextlib.suppress(BrokenStreamError):
            check_verdict(read_verdict(line))
    try:
        found = read_verdicts(lines)
    except BrokenStreamError:
        return False
    for verdict in found:
        check_verdict(verdict)
    again = [*map(verdict_line, found), final_line(len(found))]
    assert read_verdicts(again) == found
    for cut in range(len(again)):
        try:
            read_verdicts(again[:cut])
        except BrokenStreamError:
            continue
        raise AssertionError(f"a stream without its last {len(again) - cut} lines was accepted")
    return True


def check_verdict(verdict: Verdict) -> None:
    """All its parts are of the types that it promises, and can be written."""
    assert verdict.outcome in ("pass", "fail", "skip", "error")
    for each in fields(Verdict):
        value = getattr(verdict, each.name)
        texts = value if each.name in ("steps", "signs") else (value,)
        assert type(texts) is tuple
        assert all(type(text) is str for text in texts)
        "".join(texts).encode("utf-8")


# Archives

LIMITS = Limits(entries=50, entry=5000, archive=50_000, total=100_000, ratio=50, depth=2)
NAMES = ("a.py", "b/a.py", "../a.py", "/a.py", "C:\\a.py", "b", "b/", "a.py.zip", "é€\u202e.py")
NAMES += ("x" * 300, "b/../../a.py", "__MACOSX/._a.py", "con.py", "", ".", "\n", "a.py/")


def archive(rng: random.Random) -> tuple[str, bytes]:
    """A name and the bytes of a zip or a tar in which something may be wrong."""
    files = [(rng.choice(NAMES), content(rng)) for _ in range(rng.randint(0, 5))]
    stream = io.BytesIO()
    packing = rng.choice(("zip", "tar", "gz", "bz2", "xz"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        (zip_up if packing == "zip" else tar_up)(rng, stream, files, packing)
    data = stream.getvalue()
    ending = rng.choice((".zip", ".tar")) if rng.random() < 0.1 else f".{packing}"
    name = "a.tar" + ending if ending not in (".zip", ".tar") else "a" + ending
    return name, spoilt(rng, data) if rng.random() < 0.8 else data


def content(rng: random.Random) -> bytes:
    """Bytes that are packed well, badly, or not at all."""
    return rng.choice((b"", b"print()\n" * 5, rng.randbytes(100), bytes(300_000), b"PK\3\4" * 9))


def zip_up(rng: random.Random, stream: io.BytesIO, files: list[tuple[str, bytes]], _: str) -> None:
    """Write a zip."""
    with zipfile.ZipFile(stream, "w", rng.choice((0, 8, 12, 14))) as packed:
        for name, data in files:
            info = zipfile.ZipInfo(name or "x")
            info.external_attr = rng.choice((0, 0o100644, 0o120777, 0o040755, 0o020644)) << 16
            info.compress_type = packed.compression
            packed.writestr(info, data)


def tar_up(
    rng: random.Random, stream: io.BytesIO, files: list[tuple[str, bytes]], packing: str
) -> None:
    """Write a tar, perhaps packed."""
    mode: Any = "w" if packing == "tar" else f"w:{packing}"
    form = rng.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=stream, mode=mode, format=form) as packed:
        for name, data in files:
            info = tarfile.TarInfo(name[:90])
            times = (0, 10**9) if form == tarfile.USTAR_FORMAT else (0, 10**9, 10**11, -5)
            info.size, info.mtime = len(data), rng.choice(times)
            info.type = rng.choice((tarfile.REGTYPE,) * 4 + (b"1", b"2", b"3", b"5", b"6", b"S"))
            info.linkname = rng.choice(("", "/etc/passwd", "../a"))
            info.size = 0 if info.type != tarfile.REGTYPE else info.size
            packed.addfile(info, io.BytesIO(data))


def holds_for_archive(case: Case) -> bool:
    """Files with clean names and bounded contents come out; all else is refused, with a reason."""
    assert isinstance(case, tuple)
    name, data = case
    listing = list_archive(io.BytesIO(data), name, LIMITS, lambda _: True)
    names = [file.name for file in listing.files]
    assert len(set(names)) == len(names) <= LIMITS.entries
    for path in names:
        assert path.startswith(f"{name}/")
        assert not {"..", "", "."} & set(path.split("/"))
        path.encode("utf-8")
    for refusal in listing.refusals:
        assert refusal.reason
        assert refusal.name.startswith(name)
        (refusal.name + refusal.reason).encode("utf-8")
    budget = Budget(LIMITS.total)
    for file in listing.files:
        with contextlib.suppress(UnreadableError):
            assert len(file.read(LIMITS.entry, budget)) <= LIMITS.entry
    return bool(listing.files)


# Rosters

COLUMNS = (
    "id",
    "ID",
    "name",
    "email",
    "Student",
    "SIS User ID",
    "SIS Login ID",
    "Section",
    "Role",
)
COLUMNS += ("First name", "Last name", "ID number", "identifier", "github_username", "Points", "")
CELLS = ("ada", "Ada Lovelace", '"Lovelace, Ada"', "ada@x.org", "7", "", " ", "=1+1", "é€", "TA")
CELLS += ('"', '"a\nb"', "    Points Possible", "Student, Test", "\u202e", "x" * 500, "\0", "ADA")


def roster_file(rng: random.Random) -> bytes:
    """A table in which something may be wrong."""
    columns = rng.sample(COLUMNS, rng.randint(1, 6))
    comma = rng.choice((",", ",", ";", "\t"))
    rows = [[rng.choice(CELLS) for _ in columns] for _ in range(rng.randint(0, 6))]
    for number, row in enumerate(rows):
        row[0] = rng.choice((row[0], f"s{number}", f"s{number}"))
    lines = [comma.join(row) for row in (columns, *rows)]
    said = [f"sep={comma}"] if rng.random() < 0.1 else []
    text = rng.choice(("\n", "\r\n", "\r")).join(said + lines)
    data = text.encode(rng.choice(("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-7")))
    return spoilt(rng, data) if rng.random() < 0.6 else data


def holds_for_roster(case: Case) -> bool:
    """Everybody has an id of their own, by which they are found; or RosterError."""
    assert isinstance(case, bytes)
    try:
        roster = parse_roster(case)
    except RosterError:
        return False
    ids = [person.id for person in roster.people]
    assert ids
    assert len(set(ids)) == len(ids)
    for person in roster.people:
        assert roster.find(person.id) == person
        f"{person}".encode()
    for text in CELLS:
        with contextlib.suppress(RosterError):
            assert roster.find(text) in (None, *roster.people)
    return True


TARGETS = {
    "verdicts": Target(verdict_stream, holds_for_verdicts),
    "archives": Target(archive, holds_for_archive),
    "roster": Target(roster_file, holds_for_roster),
}
