"""Small pictures of numbers, as SVG; colours come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from socketlab.grading.out.clean import number, plural

MOST_COLUMNS = 24
WIDTH, HEIGHT, TOP, FOOT = 720, 150, 22, 44


def meter(part: float, whole: float, style: str = "meter") -> Markup:
    """A bar of which a part is filled; the number stands beside it, so it needs no words."""
    svg = Element("svg", {"class": style, "viewBox": "0 0 1000 10", "aria-hidden": "true"})
    svg.set("preserveAspectRatio", "none")
    share = min(1.0, max(0.0, part / whole)) if whole else 0.0
    for kind, width in (("all", 1.0), ("part", share)):
        box = {"width": f"{1000 * width:g}", "height": "10", "class": kind}
        SubElement(svg, "rect", box)
    return Markup(tostring(svg, encoding="unicode"))


def bins(values: Sequence[float], out_of: float) -> list[tuple[str, int]]:
    """How many have how many points: a name and a count for each whole number, or for ranges of
    them if there would be too many."""
    top = max(1, round(out_of))
    step = -(-(top + 1) // MOST_COLUMNS)
    counts = [0] * (top // step + 1)
    for value in values:
        counts[min(max(int(value), 0), top) // step] += 1
    starts = range(0, top + 1, step)
    return [
        (_range(start, min(start + step - 1, top)), n)
        for start, n in zip(starts, counts, strict=True)
    ]


def _range(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}\N{EN DASH}{last}"


def histogram(values: Sequence[float], out_of: float) -> Markup:
    """The distribution of points: a column for each number, with how many have it."""
    counted = bins(values, out_of)
    svg = Element("svg", {"class": "chart", "role": "img"})
    svg.set("viewBox", f"0 0 {WIDTH} {HEIGHT + TOP + FOOT}")
    svg.set("aria-label", f"Points of {plural(len(values), 'learner')}. {in_words(counted)}")
    most, pitch = max(1, *(count for _, count in counted)), WIDTH / len(counted)
    for place, (name, count) in enumerate(counted):
        height = HEIGHT * count / most
        x = pitch * place
        _column(svg, x + pitch * 0.12, pitch * 0.76, height)
        _text(svg, x + pitch / 2, TOP + HEIGHT + 18, name, "axis")
        if count:
            _text(svg, x + pitch / 2, TOP + HEIGHT - height - 6, f"{count:,}", "")
    _text(svg, WIDTH / 2, TOP + HEIGHT + 38, f"points, of {number(out_of)}", "axis")
    return Markup(tostring(svg, encoding="unicode"))


def in_words(counted: Sequence[tuple[str, int]]) -> str:
    """The columns that are not empty, in a sentence."""
    return ", ".join(f"{name} points: {count}" for name, count in counted if count) + "."


def _column(svg: Element, x: float, width: float, height: float) -> None:
    drawn = max(height, 1)
    box = {"x": f"{x:g}", "y": f"{TOP + HEIGHT - drawn:g}", "width": f"{width:g}"}
    style = "column" if height else "column none"
    SubElement(svg, "rect", {**box, "height": f"{drawn:g}", "class": style})


def _text(svg: Element, x: float, y: float, words: str, style: str) -> None:
    place = {"x": f"{x:g}", "y": f"{y:g}", "class": style, "text-anchor": "middle"}
    SubElement(svg, "text", place).text = words
