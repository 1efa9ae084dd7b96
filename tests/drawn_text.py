"""Where the words of a figure stand, and what they touch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

PAD = 2.0  # pixels that words keep from the edge of their box


def words_of(figure: Figure) -> dict[str, list[Bbox]]:
    """Every text of a figure with the boxes, in pixels, that it fills."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found: dict[str, list[Bbox]] = {}
    for text in figure.findobj(Text):
        if text.get_text().strip() and text.get_visible():
            found.setdefault(text.get_text(), []).append(_ink(text, renderer))
    return found


def _ink(text: Text, renderer: object) -> Bbox:
    """The text's own extent, without the paper that may be cleared behind it."""
    return Text.get_window_extent(text, renderer)


def touching(figure: Figure) -> list[str]:
    """What is wrong with a figure's words: each pair that overlaps, each word that is cut off,
    crossed by a line, or not inside the box that it stands in."""
    words = [(text, box) for text, boxes in words_of(figure).items() for box in boxes]
    lines, frames = list(_lines(figure)), list(_frames(figure))
    wrong = [f"{a!r} overlaps {b!r}" for (a, x), (b, y) in combinations(words, 2) if x.overlaps(y)]
    for text, box in words:
        frame, depth = min(
            (each for each in frames if each[0].contains(*_middle(box))),
            key=lambda each: each[0].width * each[0].height,
            default=(figure.bbox, -1.0),
        )
        if not _inside(box, frame):
            wrong.append(
                f"{text!r} leaves its box" if depth >= 0 else f"{text!r} leaves the paper"
            )
        if any(line.intersects_bbox(box, filled=False) for line, over in lines if over >= depth):
            wrong.append(f"{text!r} is crossed by a line")
    return wrong


def _middle(box: Bbox) -> tuple[float, float]:
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def _inside(box: Bbox, frame: Bbox) -> bool:
    return (
        frame.x0 + PAD <= box.x0
        and box.x1 <= frame.x1 - PAD
        and frame.y0 + PAD <= box.y0
        and box.y1 <= frame.y1 - PAD
    )


def _lines(figure: Figure) -> Iterator[tuple[Path, float]]:
    """Every stroke of the figure, in pixels, and how high it lies."""
    for axes in figure.axes:
        for lines in axes.findobj(LineCollection):
            for segment in lines.get_segments():
                yield Path(axes.transData.transform(segment)), lines.zorder
        for patch in axes.findobj(PathPatch):
            yield patch.get_path().transformed(axes.transData), patch.zorder


def _frames(figure: Figure) -> Iterator[tuple[Bbox, float]]:
    """Every drawn box, in pixels, and how high it lies."""
    for axes in figure.axes:
        for patch in axes.findobj(lambda artist: isinstance(artist, FancyBboxPatch | Rectangle)):
            if patch is not axes.patch:
                yield patch.get_window_extent(), patch.zorder
