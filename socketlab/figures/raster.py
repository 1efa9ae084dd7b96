"""Thousands of stretches of time as one image: too thin to draw one by one, none of them lost.

Where several lanes share a row of pixels, the row's ink is the mean of theirs; but wherever
there is any ink at all, the paper is at least faintly marked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from socketlab.figures.sheet import Pixels

FAINTEST = 0.07
ONE = np.float32(1)
Plane = NDArray[np.float32]


class Raster:
    """Paper for `lanes` lanes, at most `height` pixels high and `width` pixels wide, on which
    `seconds` of time run from left to right. A row is from two to `thickest` pixels high."""

    def __init__(
        self, lanes: int, height: int, width: int, seconds: float, thickest: int = 12
    ) -> None:
        self.rows = min(lanes, height // 2)
        self.thick = min(height // self.rows, thickest)
        self.width = width
        self._row_of = np.arange(lanes) * self.rows // lanes
        sharing = np.bincount(self._row_of, minlength=self.rows)
        self._share = (1 / sharing).astype(np.float32)[:, None]
        self._columns_a_second = width / seconds
        self._inks: dict[str, Plane] = {}

    @property
    def height(self) -> int:
        """How many pixels the whole is high."""
        return self.rows * self.thick

    def cover(self, lanes: ArrayLike, starts: ArrayLike, ends: ArrayLike) -> Plane:
        """How much of each pixel these stretches cover, from 0 to 1; each at least a column."""
        rows = self._row_of[np.asarray(lanes, int)] * (self.width + 1)
        left = np.asarray(starts, float) * self._columns_a_second
        right = np.asarray(ends, float) * self._columns_a_second
        first = np.clip(left.astype(int), 0, self.width - 1)
        after = np.clip(np.rint(right).astype(int), first + 1, self.width)
        edges = np.zeros(self.rows * (self.width + 1), np.float32)
        np.add.at(edges, rows + first, ONE)
        np.subtract.at(edges, rows + after, ONE)
        deep = np.cumsum(edges, out=edges).reshape(self.rows, -1)[:, :-1]
        return np.minimum(deep * self._share, ONE)

    def ink(self, colour: str, plane: Plane, strength: float = 1.0) -> None:
        """Lay a plane of `colour` over what is there; other colours lie in order of first use."""
        share = np.maximum(plane * np.float32(strength), FAINTEST, where=plane > 0, out=plane)
        below = self._inks.setdefault(colour, np.zeros_like(plane))
        below += (ONE - below) * share

    def pixels(self) -> Pixels:
        """The image; where a lane is some rows of pixels high, the last of them stays blank."""
        image = np.full((self.rows, self.width, 4), 255, np.uint8)
        for index, (colour, plane) in enumerate(self._inks.items()):
            if index == 0:
                image = _shades(colour)[_bytes(plane)].view(np.uint8).reshape(image.shape)
            else:
                over = plane[:, :, None]
                image = np.rint(image + (_rgba(colour) - image) * over).astype(np.uint8)
        image = np.repeat(image, self.thick, axis=0)
        if self.thick >= 4:
            image[self.thick - 1 :: self.thick] = 255
        return image


def _rgba(colour: str) -> NDArray[np.float32]:
    return np.array([*bytes.fromhex(colour[1:]), 255], np.float32)


def _shades(colour: str) -> NDArray[np.uint32]:
    """From paper to `colour` in 256 steps, four bytes in one: a table is what is fastest."""
    steps = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    return np.rint(255 + (_rgba(colour) - 255) * steps).astype(np.uint8).view(np.uint32).ravel()


def _bytes(plane: Plane) -> NDArray[np.uint8]:
    return np.asarray(plane * np.float32(255) + np.float32(0.5), np.uint8)
