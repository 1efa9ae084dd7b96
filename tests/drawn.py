"""What a picture came out as: its words, and where things stand on it, in inches."""

from __future__ import annotations

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from socketlab.figures.picture import Picture

Box = tuple[float, float, float, float]  # left, top, right, bottom
DPI = 100
TOUCH = 0.012  # inches: as close as two boxes may come by rounding to pixels


def texts(picture: Picture) -> list[str]:
    """Everything that is written on it, in the order in which it was drawn."""
    return [text.get_text() for text in picture.figure.axes[0].texts]


def lines(picture: Picture) -> list[Box]:
    """All straight strokes that are not lifelines, ticks or tracks: x0, y0, x1, y1."""
    found = (it for it in picture.figure.axes[0].collections if it.get_gid() == "line")
    return [tuple(map(float, seg.ravel())) for it in found for seg in it.get_segments()]


def boxes(picture: Picture, gid: str) -> list[Box]:
    """The extents of everything of one kind: "label", "dot", "bar", "head" or "image"."""
    axes = picture.figure.axes[0]
    found = [it for it in axes.get_children() if it.get_gid() == gid]
    if gid == "label":
        return _labels(picture, found)
    if gid == "dot":
        return [box for it in found for box in _dots(it)]
    if gid == "image":
        return [it.box for it in found]
    paths = [path.vertices for it in found for path in it.get_paths()]
    return [(*p.min(axis=0).tolist(), *p.max(axis=0).tolist()) for p in paths]


def _labels(picture: Picture, found) -> list[Box]:
    figure = picture.figure
    figure.set_dpi(DPI)
    renderer = FigureCanvasAgg(figure).get_renderer()
    height = figure.get_size_inches()[1]
    extents = (Bbox(it.get_window_extent(renderer).get_points() / DPI) for it in found)
    return [(box.x0, height - box.y1, box.x1, height - box.y0) for box in extents]


def _dots(found) -> list[Box]:
    half = found.get_markersize() / 72 / 2
    points = zip(*found.get_data(), strict=True)
    return [(x - half, y - half, x + half, y + half) for x, y in points]


def meet(one: Box, two: Box) -> bool:
    """Whether two boxes cover each other."""
    return (
        one[0] + TOUCH < two[2]
        and two[0] + TOUCH < one[2]
        and one[1] + TOUCH < two[3]
        and two[1] + TOUCH < one[3]
    )


def overlaps(picture: Picture, *, on_bars: bool = False) -> list[tuple[str, str]]:
    """Pairs of things that cover each other though one of them is a label; and what runs off the
    sheet. `on_bars` allows a label wholly in a bar."""
    labels = list(zip(texts(picture), boxes(picture, "label"), strict=True))
    things = [(kind, box) for kind in ("dot", "bar", "head") for box in boxes(picture, kind)]
    pairs = itertools.chain(itertools.combinations(labels, 2), itertools.product(labels, things))
    met = [(a, one, b, two) for (a, one), (b, two) in pairs if meet(one, two)]
    found = [(a, b) for a, one, b, two in met if not (on_bars and b == "bar" and _in(one, two))]
    width, height = picture.figure.get_size_inches()
    sheet = (-TOUCH, -TOUCH, width + TOUCH, height + TOUCH)
    off = [text for text, box in labels if not _within(box, sheet)]
    return found + [(text, "edge of the sheet") for text in off]


def _in(label: Box, bar: Box) -> bool:
    return (
        bar[0] <= label[0] and label[2] <= bar[2] and bar[1] < (label[1] + label[3]) / 2 < bar[3]
    )


def _within(box: Box, sheet: Box) -> bool:
    return box[0] >= sheet[0] and box[1] >= sheet[1] and box[2] <= sheet[2] and box[3] <= sheet[3]
