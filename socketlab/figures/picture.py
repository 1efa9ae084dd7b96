"""What a drawing function returns: a figure whose repr is the same thing in words."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

DPI = 160  # drawn at twice the size it is shown at, so that it is sharp on dense screens
SHOWN_DPI = 80


class Picture:
    """A figure and its text equivalent: notebooks show the first and keep both.

    `figure` is a matplotlib `Figure` (never pyplot's), `words` what it says, without any times.
    `encoding` are options of Pillow's PNG encoder.
    """

    def __init__(
        self, figure: Figure, words: str, encoding: Mapping[str, Any] | None = None
    ) -> None:
        self.figure = figure
        self.words = words
        self.encoding = dict(encoding or {})

    def __repr__(self) -> str:
        return self.words

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        width, height = self.figure.get_size_inches() * SHOWN_DPI
        return self.png(), {"width": round(width), "height": round(height)}

    def png(self) -> bytes:
        """The picture as the bytes of a PNG file, the same bytes each time."""
        out = BytesIO()
        paper = self.figure.get_facecolor()
        options = {"facecolor": paper, "pil_kwargs": self.encoding}
        self.figure.savefig(out, format="png", dpi=DPI, **options)
        return out.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the PNG to `path` and return it as a Path. OSError if it cannot be written."""
        path = Path(path)
        path.write_bytes(self.png())
        return path
