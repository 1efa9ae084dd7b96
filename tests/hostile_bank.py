"""The bank of hostile and odd submissions: what each tries, and the grade that it deserves.

A program in tests/hostile says so itself, in comments on top:

    # Tries: what it does, in a few words
    # Deserves: full | nothing | all but CHECK, CHECK | only CHECK, CHECK
    # Caught by: the first check that fails          # Says: words of its report
    # Tiers: the sandboxes that promise this (all, if it does not say)
    # Needs: a user id of its own, where it is not in namespaces of its own either
    # Bomb: what it uses up: two bombs are never graded side by side
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from socketlab.learner import Lab

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).with_name("hostile")
LABS = {path.name[:2]: Lab(ROOT, path.stem) for path in (ROOT / "labs").glob("[0-9]*.py")}
SAYS = r"^# (Tries|Deserves|Caught by|Says|Tiers|Needs|Bomb): (.+)$"
TIERS = "A B C"


@dataclass(frozen=True)
class Hostile:
    """A submission of the bank: its bytes, and what it says of itself."""

    name: str
    source: bytes
    says: dict[str, str]

    @property
    def lab(self) -> Lab:
        """The lab that it is handed in for."""
        return LABS[self.name[:2]]

    @property
    def bomb(self) -> bool:
        """Whether it uses something up."""
        return "Bomb" in self.says

    def runs_on(self, tier: str, own_uid: bool) -> bool:
        """Whether this tier promises the grade, and can be trusted to keep this one in. `own_uid`:
        the program's user id is nobody else's, as it is if root grades."""
        kept_in = tier == "A" or own_uid or "Needs" not in self.says
        return kept_in and tier in self.says.get("Tiers", TIERS).split()

    def passes(self, checks: list[str]) -> set[str]:
        """Which of a lab's checks it deserves to pass."""
        kind, _, names = self.says["Deserves"].partition(" ")
        named = set(re.findall(r"test_\w+", names))
        if unknown := named - set(checks):
            raise ValueError(f"{self.name}: there is no check {unknown}")
        if kind in ("full", "all"):
            return set(checks) - named
        return named if kind in ("only", "nothing") else {f"deserves {kind}?"}


def bank() -> list[Hostile]:
    """Every submission of the bank, sorted by name."""
    files = [_read(path.stem, path.read_bytes()) for path in FOLDER.glob("[0-9]*.py")]
    return sorted([*files, *_odd_files()], key=lambda each: each.name)


def _read(name: str, source: bytes) -> Hostile:
    return Hostile(name, source, dict(re.findall(SAYS, source.decode(), re.MULTILINE)))


# Files whose bytes are the point: the reference solution of lab 02, written in another way.

RIGHT = {"Deserves": "full"}
WRONG = {"Deserves": "nothing", "Caught by": "test_recv_exactly"}
UNREADABLE = WRONG | {"Says": "Python could not read your file"}
Change = Callable[[str], bytes]
ODD: dict[str, tuple[Change, dict[str, str]]] = {
    "02_with_a_bom": (lambda text: codecs.BOM_UTF8 + text.encode(), RIGHT),
    "02_with_crlf": (lambda text: text.replace("\n", "\r\n").encode(), RIGHT),
    "02_with_tabs": (lambda text: text.replace("    ", "\t").encode(), RIGHT),
    "02_in_latin_1": (lambda text: f"# coding: latin-1\n# é\n{text}".encode("latin-1"), RIGHT),
    "02_very_long": (lambda text: text.encode() + b"# no end\n" * 500_000, RIGHT),
    "02_with_mixed_tabs": (lambda text: text.replace("\n        ", "\n\t").encode(), UNREADABLE),
    "02_in_latin_1_unsaid": (lambda text: f"# é\n{text}".encode("latin-1"), UNREADABLE),
    "02_in_no_encoding": (lambda text: f"# coding: klingon\n{text}".encode(), UNREADABLE),
    "02_in_utf_16": (lambda text: text.encode("utf-16"), UNREADABLE),
    "02_with_nuls": (lambda text: text.replace("\n\n", "\n\0\n").encode(), UNREADABLE),
    "02_empty": (lambda text: b"", WRONG),
    "02_no_python": (lambda text: b"%PDF-1.7\n" + bytes(range(256)) * 40, UNREADABLE),
    "02_nested_deeply": (lambda text: b"(" * 100_000 + text.encode(), WRONG),
}


def _odd_files() -> list[Hostile]:
    text = (ROOT / "solutions" / "02_framing.py").read_text(encoding="utf-8")
    return [
        Hostile(name, change(text), {"Tries": name[3:].replace("_", " "), **says})
        for name, (change, says) in ODD.items()
    ]
