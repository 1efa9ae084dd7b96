"""A sheet of white paper measured in inches: the few strokes both pictures are drawn with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray
from PIL import Image

from socketlab.figures.palette import GREY, INK, MONO, PAPER, SANS

Box = tuple[float, float, float, float]  # left, top, right, bottom, in inches, y running down
Stroke = tuple[float, float, float, float]  # from x, y to x, y, in inches
Pixels = NDArray[np.uint8]

WIDTH = 10.5  # inches: 840 pixels as shown in a notebook
MARGIN = 0.25
TITLE, SUBTITLE = 15.0, 11.0  # points
LINE = 0.2  # from one line of text to the next


def font(size: float, *, mono: bool = False, bold: bool = False) -> FontProperties:
    """The face every text is set in: nothing of it is left to the reader's own settings."""
    return FontProperties(
        family=MONO if mono else SANS,
        style="normal",
        variant="normal",
        weight="bold" if bold else "normal",
        stretch="normal",
        size=size,
    )


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, mono: bool = False, bold: bool = False) -> float:
    """How wide `text` comes out, in inches."""
    face = font(size, mono=mono, bold=bold)
    return text_to_path.get_text_width_height_descent(text, face, False)[0] / 72


def wrap(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """`text` in lines of at most `width` inches; a single longer word keeps a line of its own."""
    lines: list[str] = []
    for word in str(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def shorten(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """`text`, or as much of it as fits in `width` inches, ending in an ellipsis."""
    if text_width(text, size, bold=bold) <= width:
        return text
    short = text[:-1]
    while short and text_width(short + "…", size, bold=bold) > width:
        short = short[:-1]
    return short.rstrip() + "…"


def heading_height(left: float, title: str | None, subtitle: str | None) -> float:
    """How many inches the heading takes that `Sheet.heading` writes; 0 if there is none."""
    titles = wrap(title or "", WIDTH - left - MARGIN, TITLE, bold=True)
    return 0.29 * len(titles) + 0.23 * len(wrap(subtitle or "", WIDTH - left - MARGIN, SUBTITLE))


def duration(seconds: float) -> str:
    """`seconds` in words: `0.4 ms`, `20 ms`, `1,250 ms`, `12.5 s`."""
    if seconds >= 9.9995:
        return f"{seconds:,.1f} s"
    ms = seconds * 1000
    return f"{ms:,.0f} ms" if ms >= 9.95 else f"{ms:.1f}".removesuffix(".0") + " ms"


class Photograph(Artist):
    """Pixels in a box of a sheet, pixel for pixel where sizes agree; else each as the mean of
    what it stands for, so that nothing is lost at any size."""

    def __init__(self, pixels: Pixels, box: Box) -> None:
        super().__init__()
        self.pixels, self.box = np.ascontiguousarray(pixels[::-1]), box
        self.set(zorder=2, gid="image")

    def draw(self, renderer: RendererBase) -> None:
        """Called by matplotlib."""
        x0, y0, x1, y1 = self.box
        (left, top), (right, bottom) = self.get_transform().transform([(x0, y0), (x1, y1)])
        scale = renderer.get_image_magnification()
        size = max(1, round((right - left) * scale)), max(1, round((top - bottom) * scale))
        gc = renderer.new_gc()
        renderer.draw_image(gc, round(left), round(bottom), self._scaled(*size))
        gc.restore()

    def _scaled(self, width: int, height: int) -> Pixels:
        rows, columns = self.pixels.shape[:2]
        down, across = max(1, height // rows), max(1, width // columns)
        if (down * rows, across * columns) == (height, width):
            return np.repeat(np.repeat(self.pixels, down, axis=0), across, axis=1)
        image = Image.fromarray(self.pixels)
        return np.array(image.resize((width, height), Image.Resampling.BOX))


class Sheet:
    """White paper of `width` by `height` inches; x runs right and y runs down from the top left.

    What may not be lost or covered carries a `gid` ("dot", "bar", "label", "head"), for tests.
    """

    def __init__(self, width: float, height: float) -> None:
        height = math.ceil(height * 40) / 40  # whole pixels at every size it is shown in
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor=PAPER, edgecolor=PAPER)
        self.axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set_autoscale_on(False)
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(height, 0)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 10,
        colour: str = INK,
        mono: bool = False,
        bold: bool = False,
        ha: str = "left",
        backed: bool = False,
    ) -> None:
        """`text` with its middle at height `y`; `backed` clears the paper behind it."""
        written = self.axes.text(x, y, text, color=colour, ha=ha, zorder=6, gid="label")
        written.set_fontproperties(font(size, mono=mono, bold=bold))
        written.set_verticalalignment("center_baseline")
        written.set_parse_math(False)  # payloads and names may hold dollar signs
        if backed:
            written.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1.5})

    def heading(self, y: float, left: float, title: str | None, subtitle: str | None) -> None:
        """Title and subtitle from `left`, and from height `y` down."""
        for line in wrap(title or "", WIDTH - left - MARGIN, TITLE, bold=True):
            self.text(left, y + 0.13, line, size=TITLE, bold=True)
            y += 0.29
        for line in wrap(subtitle or "", WIDTH - left - MARGIN, SUBTITLE):
            self.text(left, y + 0.13, line, size=SUBTITLE, colour=GREY)
            y += 0.23

    def line(
        self,
        strokes: Iterable[Stroke],
        colour: str,
        width: float = 1.5,
        *,
        dashes: Sequence[float] = (),
        over: int = 1,
        gid: str = "line",
    ) -> None:
        """Straight strokes of one colour and `width` (points); `dashes` in widths, on and off."""
        ends = [((x0, y0), (x1, y1)) for x0, y0, x1, y1 in strokes]
        style = (0.0, tuple(dashes)) if dashes else "solid"
        lines = LineCollection(ends, colors=colour, linewidths=width, linestyles=[style])
        lines.set(zorder=over, gid=gid, snap=False, capstyle="butt")
        self.axes.add_collection(lines, autolim=False)

    def bars(self, boxes: Iterable[Box], colour: str, *, over: int = 2, gid: str = "bar") -> None:
        """Filled rectangles of one colour, never snapped to pixels: none can vanish."""
        corners = [((x0, y0), (x1, y0), (x1, y1), (x0, y1)) for x0, y0, x1, y1 in boxes]
        filled = PolyCollection(corners, facecolors=colour, edgecolors="none", linewidths=0)
        filled.set(zorder=over, gid=gid, snap=False)
        self.axes.add_collection(filled, autolim=False)

    def dots(self, points: Sequence[tuple[float, float]], colour: str, size: float = 8) -> None:
        """Round points of `size` points across, rimmed with paper so that they stand out."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        drawn = Line2D(xs, ys, marker="o", ls="", color=colour, ms=size, mec=PAPER, mew=size / 6)
        drawn.set(zorder=4, gid="dot")
        self.axes.add_artist(drawn)  # plot() takes ten times as long

    def image(self, pixels: Pixels, box: Box) -> None:
        """Rows of red, green, blue and alpha bytes, filling `box`."""
        self.axes.add_artist(Photograph(pixels, box))

    def heads(self, arrows: Iterable[Stroke], colour: str, size: float = 0.11) -> None:
        """Arrow heads of `size` inches, each with its point at its stroke's end."""
        points = [_head(arrow, size) for arrow in arrows]
        filled = PolyCollection(points, facecolors=colour, edgecolors="none", linewidths=0)
        filled.set(zorder=3, gid="head", snap=False)
        self.axes.add_collection(filled, autolim=False)


def _head(arrow: Stroke, size: float) -> list[tuple[float, float]]:
    x0, y0, x1, y1 = arrow
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    along, across = (x1 - x0) / length * size, (y1 - y0) / length * size
    back_x, back_y = x1 - along, y1 - across
    half = 0.36
    return [
        (x1, y1),
        (back_x - across * half, back_y + along * half),
        (back_x + across * half, back_y - along * half),
    ]
