"""More connections than can be told apart by name: one image, a line for each, none lost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import inf as INF
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socketlab.conversation import Connection
from socketlab.figures.gaps import INSTANT
from socketlab.figures.palette import GREY, HUES
from socketlab.figures.panel import PIXEL, Frame
from socketlab.figures.raster import Raster
from socketlab.figures.sheet import Sheet
from socketlab.figures.threads import PALE, gutter
from socketlab.figures.tracks import Band, queued

HEIGHT = 6.5  # inches, at most
KEY = "solid: working · pale: blocked in a call · faint: open"
FAINT, TICK = 0.13, 0.6
ENCODING = {"compress_type": 3}  # zlib's Z_RLE: faster by a quarter, and hardly larger


class Calls(NamedTuple):
    """All calls of many connections: whose (by lane), from when, to when, in seconds. Of an
    accept() only its end counts: before, there was no connection."""

    lanes: NDArray[np.int_]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]


def calls_of(found: Sequence[Connection]) -> Calls:
    """The calls of these connections, at both ends."""
    sides = list(chain.from_iterable(map(attrgetter("client", "server"), found)))
    lanes = np.repeat(np.arange(len(sides)) // 2, list(map(len, sides)))
    spans = list(chain.from_iterable(sides))
    starts = np.fromiter(map(attrgetter("start"), spans), float, len(spans))
    ends = np.fromiter(map(attrgetter("end"), spans), float, len(spans))
    long = np.flatnonzero(ends - starts >= INSTANT).tolist()
    accepts = [i for i in long if spans[i].call == "accept"]
    starts[accepts] = ends[accepts]
    return Calls(lanes, starts, ends)


def paper(lanes: int, frame: Frame) -> Raster:
    """Paper for this many lanes in this frame; a column is a pixel as shown, two as drawn."""
    columns = round((frame.right - frame.left) / PIXEL / 2)
    return Raster(lanes, round(HEIGHT / PIXEL), columns, frame.seconds)


def draw_crowd(
    sheet: Sheet,
    found: Sequence[Connection],
    calls: Calls,
    bands: Sequence[Band],
    frame: Frame,
    top: float,
) -> None:
    """Every connection as one thin line from `top` down: open, queued, blocked, worked for."""
    raster = paper(len(found), frame)
    _ink_open(raster, found, _queues(found) if bands else [])
    _ink_calls(raster, calls)
    lane_of = {it.name: i for i, it in enumerate(found)}
    works = [(lane_of[it.conn], it.start, it.end) for band in bands for it in band.work]
    if works:
        raster.ink(HUES[0], raster.cover(*zip(*works, strict=True)))
    bottom = top + raster.height * PIXEL
    sheet.image(raster.pixels(), (frame.left, top, frame.right, bottom))
    gutter(sheet, frame, (top + bottom) / 2, [f"{len(found):,}", "connections"])


def draw_key(sheet: Sheet, frame: Frame, y: float) -> None:
    """What the strengths of ink mean, in words."""
    sheet.text(frame.left, y, KEY, size=9, colour=GREY)


def _queues(found: Sequence[Connection]) -> list[tuple[int, float, float]]:
    """Which lanes stood in the accept queue, from when to when."""
    slow = (i for i, it in enumerate(found) if (it.accepted or INF) - it.opened >= INSTANT)
    waits = ((i, queued(found[i])) for i in slow)
    return [(i, wait.start, wait.end) for i, wait in waits if wait]


def _ink_open(
    raster: Raster, found: Sequence[Connection], queues: list[tuple[int, float, float]]
) -> None:
    """Faint while it is open; dotted while it stands in the accept queue."""
    starts, ends = [it.opened for it in found], [it.closed for it in found]
    plane = raster.cover(range(len(found)), starts, ends)
    if queues:
        waits = raster.cover(*zip(*queues, strict=True))
        waits[:, ::2] = 0
        plane -= waits
    raster.ink(HUES[0], plane, FAINT)


def _ink_calls(raster: Raster, calls: Calls) -> None:
    """Pale where an end is blocked in a call; a tick for a call that is over in an instant."""
    lanes, starts, ends = calls
    long = ends - starts >= INSTANT
    for some, strength in ((long, PALE), (~long, TICK)):
        if some.any():
            raster.ink(HUES[0], raster.cover(lanes[some], starts[some], ends[some]), strength)
