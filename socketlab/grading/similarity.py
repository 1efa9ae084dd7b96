"""Who has written the same: an optional report through the copydetect library (Schleimer and
others, "Winnowing", 2003), as a page that opens without a server.

Comments, names and spaces do not count, and the starter's lines never do. A passage that many
share is how this is done, not a copy: it does not count either. What is found is a reason to
look, never a proof.
"""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from pathlib import Path
from typing import Any

from socketlab.grading.out.files import Names, replacing
from socketlab.grading.out.pages import stream
from socketlab.grading.submission import Found, Person, Submission
from socketlab.learner import Lab

GRAM = 25  # characters of filtered code: what is shorter is chance
LEAST = 0.4  # of the shorter program's own lines: pairs below it are not listed
SHORTEST = 5  # lines: fewer are chance
COMMON = 10  # programs: what more of them share does not count (as Moss does it)
MOST_PAIRS = 200
PAGES = "similar"
ADVICE = (
    "The report of similar programs needs the library copydetect, which is not installed. "
    "Install it with: pip install 'socketlab[similarity]'"
)


class SimilarityError(RuntimeError):
    """There can be no report; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program: its lines, which of them are its own (code that is not the starter's), and
    its fingerprint, as copydetect makes it."""

    person: Person
    lines: tuple[str, ...]
    own: frozenset[int]
    fingerprint: Any

    @property
    def name(self) -> str:
        """For people."""
        return self.person.name or self.person.id


@dataclass(frozen=True, slots=True)
class Pair:
    """Two programs and the lines of each (counted from 0) that are in the other as well; `same`
    counts those that are so letter by letter."""

    first: Program
    second: Program
    lines: tuple[frozenset[int], frozenset[int]]
    same: int

    @property
    def share(self) -> float:
        """How much of its own lines the one that shares more of them shares: 0 to 1."""
        both = zip(self.lines, (self.first, self.second), strict=True)
        return max(len(shared) / max(1, len(program.own)) for shared, program in both)

    @property
    def percent(self) -> int:
        """The share, for a reader."""
        return round(100 * self.share)


def similarity(found: Found, lab: Lab, folder: Path) -> Path:
    """Write the report on the programs of a class, with a page for each pair that is alike; the
    path of its first page. Of several attempts the last counts. SimilarityError if the library
    is missing."""
    detect = _library()
    programs = _programs(detect, found, lab)
    (folder / PAGES).mkdir(parents=True, exist_ok=True)
    names = Names()
    listed = [
        (pair, _write_pair(pair, lab, folder, names)) for pair in similar_pairs(programs, detect)
    ]
    path = folder / "similar.html"
    counts = {"programs": len(programs), "least": round(100 * LEAST), "common": COMMON}
    with replacing(path) as page:
        page.writelines(stream("similar.html", lab=lab, pairs=listed, **counts))
    return path


def _write_pair(pair: Pair, lab: Lab, folder: Path, names: Names) -> str:
    """Write the page of a pair; its address from the first page."""
    name = names.of(f"{pair.first.person.id}+{pair.second.person.id}") + ".html"
    values = {"lab": lab, "pair": pair, "sides": _sides(pair), "title": _title(pair)}
    with replacing(folder / PAGES / name) as page:
        page.writelines(stream("pair.html", **values))
    return f"{PAGES}/{name}"


def _library() -> Any:
    try:
        import copydetect
    except ImportError:
        raise SimilarityError(ADVICE) from None
    return copydetect


def _programs(detect: Any, found: Found, lab: Lab) -> list[Program]:
    """The last attempt of each learner, ready to be compared."""
    last: dict[str, Submission] = {}
    for each in found.submissions:
        if each.student not in last or each.attempt >= last[each.student].attempt:
            last[each.student] = each
    people = {person.id: person for person in found.people}
    starter = _text(lab.program.read_bytes()) if lab.program.is_file() else ""
    theirs = _fingerprint(detect, starter).hashes
    lines = {_bare(line) for line in starter.splitlines()}
    made = [
        _program(detect, people.get(key, Person(key)), _text(each.source), theirs, lines)
        for key, each in last.items()
    ]
    _forget_common(made)
    return made


def _program(
    detect: Any, person: Person, text: str, starter: set[int], lines: set[str]
) -> Program:
    fingerprint = _fingerprint(detect, text)
    _forget(fingerprint, starter)
    own = (n for n, line in enumerate(text.split("\n")) if _is_code(line, lines))
    return Program(person, tuple(text.split("\n")), frozenset(own), fingerprint)


def _fingerprint(detect: Any, text: str) -> Any:
    """With a window of 1 every passage counts, so that a report is the same from run to run."""
    code = text.lstrip("\n")  # the lexer strips these: spaces keep the places right
    text = " " * (len(text) - len(code)) + (code or " ")
    return detect.CodeFingerprint(
        "program.py", GRAM, 1, language="python", fp=io.StringIO(text, newline="")
    )


def _forget(fingerprint: Any, hashes: set[int]) -> None:
    for each in fingerprint.hashes & hashes:
        del fingerprint.hash_idx[each]
    fingerprint.hashes -= hashes


def _forget_common(programs: Sequence[Program]) -> None:
    """Passages that more than COMMON programs have are nobody's own."""
    counts = Counter(each for program in programs for each in program.fingerprint.hashes)
    common = {each for each, count in counts.items() if count > COMMON}
    for program in programs:
        _forget(program.fingerprint, common)


def similar_pairs(programs: Sequence[Program], detect: Any) -> list[Pair]:
    """The pairs that share at least LEAST of their own lines and SHORTEST of them, most alike
    first."""
    pairs = []
    for first, second in combinations(programs, 2):
        one, two = first.fingerprint.hashes, second.fingerprint.hashes
        if len(one & two) * 4 > LEAST * min(len(one), len(two)):  # else it cannot be enough
            pair = _pair(first, second, detect)
            if pair.share >= LEAST and min(map(len, pair.lines)) >= SHORTEST:
                pairs.append(pair)
    order = sorted(pairs, key=lambda pair: (-pair.share, -pair.same, pair.first.person.id))
    return order[:MOST_PAIRS]


def _pair(first: Program, second: Program, detect: Any) -> Pair:
    _, _, slices = detect.compare_files(first.fingerprint, second.fingerprint)
    sides = zip((first, second), slices, strict=True)
    lines = [_lines(program, found) & program.own for program, found in sides]
    texts = [
        Counter(_bare(p.lines[n]) for n in own)
        for p, own in zip((first, second), lines, strict=True)
    ]
    return Pair(first, second, (lines[0], lines[1]), (texts[0] & texts[1]).total())


def _lines(program: Program, slices: Any) -> frozenset[int]:
    """The lines that slices of the text touch."""
    starts = list(accumulate((len(line) + 1 for line in program.lines), initial=0))
    touched: set[int] = set()
    for start, stop in zip(*(slices.tolist() or ([], [])), strict=True):
        first, last = bisect_right(starts, start) - 1, bisect_left(starts, stop)
        touched.update(range(max(first, 0), min(last, len(program.lines))))
    return frozenset(touched)


def _text(source: bytes) -> str:
    """A program as text, its line ends as \\n, whatever its bytes are."""
    text = source.decode("utf-8-sig", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return "\n".join(text.splitlines())


def _bare(line: str) -> str:
    return " ".join(line.split())


def _is_code(line: str, starter: set[str]) -> bool:
    """Whether a line is its writer's own: more than brackets, a comment, or the starter's."""
    bare = _bare(line)
    return bare not in starter and not bare.startswith("#") and any(map(str.isalpha, bare))


def _sides(pair: Pair) -> Iterator[tuple[Program, list[tuple[int, str, bool]]]]:
    for program, shared in zip((pair.first, pair.second), pair.lines, strict=True):
        lines = enumerate(program.lines)
        yield program, [(number + 1, line, number in shared) for number, line in lines]


def _title(pair: Pair) -> str:
    return f"{pair.first.name} and {pair.second.name}"
