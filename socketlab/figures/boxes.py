"""What the drawn images are made of: boxes with round corners, arrows, small notes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Outline

from socketlab.figures.palette import GREY, HAIRLINE, HUES, INK, PAPER
from socketlab.figures.sheet import Box, Sheet, Stroke, text_width

Point = tuple[float, float]  # inches from the top left

WIDTH = 8.75  # inches: 1400 pixels
MARGIN = 0.35
NOTE = 9.0  # points, of the smallest text
ROUND = 0.07  # inches, of a box's corners
TURN = 0.14  # inches, of a path's
LINE = 0.18  # inches from one note to the next
KERNEL = (3.5, 2.0)  # dashed: sent by a kernel, carries no program's data
COLOUR = {"client": HUES[0], "server": HUES[1]}


def start_sheet(height: float, title: str, subtitle: str) -> Sheet:
    """White paper with a heading; the drawing begins an inch down."""
    sheet = Sheet(WIDTH, height)
    sheet.text(MARGIN, MARGIN + 0.1, title, size=15, bold=True)
    sheet.text(MARGIN, MARGIN + 0.42, subtitle, size=10.5, colour=GREY)
    return sheet


def draw_box(sheet: Sheet, box: Box, *, fill: str = PAPER, edge: str = HAIRLINE) -> None:
    """A rectangle with round corners."""
    left, top, right, bottom = box
    shape = f"round,pad=0,rounding_size={ROUND}"
    patch = FancyBboxPatch((left, top), right - left, bottom - top, boxstyle=shape)
    patch.set(facecolor=fill, edgecolor=edge, linewidth=1.3, zorder=2, gid="box")
    sheet.axes.add_patch(patch)


def draw_arrow(sheet: Sheet, stroke: Stroke, colour: str = INK) -> None:
    """A straight arrow."""
    sheet.line([stroke], colour, 1.6, over=3, gid="arrow")
    sheet.heads([stroke], colour)


def draw_flight(sheet: Sheet, stroke: Stroke, label: str, *, kernels: bool, size: float) -> None:
    """What travels from kernel to kernel, its name amid the arrow: data, or the kernel's own."""
    x0, y0, x1, y1 = stroke
    x, y, colour = (x0 + x1) / 2, (y0 + y1) / 2, GREY if kernels else INK
    share = (text_width(label, size, mono=True) / 2 + 0.07) / abs(x1 - x0)  # left free for it
    gap_x, gap_y = (x1 - x0) * share, (y1 - y0) * share
    halves = [(x0, y0, x - gap_x, y - gap_y), (x + gap_x, y + gap_y, x1, y1)]
    sheet.line(halves, colour, 1.6, dashes=KERNEL if kernels else (), over=3, gid="arrow")
    sheet.heads([stroke], colour)
    sheet.text(x, y, label, size=size, mono=True, colour=colour, ha="center")


def draw_path(sheet: Sheet, points: Sequence[Point], *, colour: str = INK, width: float) -> None:
    """A line through all points, round at its corners, with an arrow head at its end."""
    places, codes = [points[0]], [Outline.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        places += [_near(corner, before), corner, _near(corner, after)]
        codes += [Outline.LINETO, Outline.CURVE3, Outline.CURVE3]
    outline = Outline([*places, points[-1]], [*codes, Outline.LINETO])
    line = PathPatch(outline, facecolor="none", edgecolor=colour, linewidth=width, zorder=3)
    line.set(gid="path", capstyle="butt")
    sheet.axes.add_patch(line)
    sheet.heads([(*points[-2], *points[-1])], colour, 0.05 + width * 0.045)


def _near(corner: Point, point: Point) -> Point:
    """Where, on the way from corner to point, the rounding of the corner ends."""
    share = TURN / math.dist(corner, point)
    return corner[0] + (point[0] - corner[0]) * share, corner[1] + (point[1] - corner[1]) * share


def write_notes(sheet: Sheet, x: float, y: float, text: str, ha: str = "center") -> None:
    """Small grey lines, the first one at height y."""
    for number, line in enumerate(text.split("\n")):
        sheet.text(x, y + LINE * number, line, size=NOTE, colour=GREY, ha=ha)
