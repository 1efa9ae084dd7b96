"""Text that came from somebody else, made safe to show: what cannot be seen is written out."""

from __future__ import annotations

import re
import unicodedata

UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}  # controls, overrides, halves of pairs ...
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # Persian, Hindi and emoji need them
# A cell that a spreadsheet would calculate: OWASP, "CSV Injection". The wide forms count too.
FORMULA = re.compile(
    r"\s*[=+\-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    r"\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}]|[\t\r\n]"
)


def visible(text: str, keep: str = "\n\t") -> str:
    r"""The text with each character that cannot be seen as its escape, such as `\x1b`: controls,
    changes of direction, lone surrogates. What is left is valid UTF-8, and valid in XML."""
    if text.isprintable():
        return text
    return "".join(c if c in keep or _is_seen(c) else _escape(c) for c in text)


def _is_seen(character: str) -> bool:
    return character in JOINERS or unicodedata.category(character) not in UNSEEN


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def one_line(text: str) -> str:
    """The same, on one line: for a cell of a terminal table."""
    return visible(" ".join(text.split("\n")), keep="")


def well_formed(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair: UTF-8 has no bytes for those."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cell(value: object) -> object:
    """A value for a spreadsheet: a text that would be taken for a formula gets an apostrophe in
    front, as OWASP advises, also if the formula stands behind spaces. Numbers stay numbers."""
    if not isinstance(value, str):
        return value
    return ("'" if FORMULA.match(value) else "") + visible(value)


def number(value: float) -> str:
    """Points for a reader: 14, 13.5, at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def plural(count: int, noun: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{count:,} {noun}" + "s" * (count != 1)
