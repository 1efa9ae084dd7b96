"""The drawn images of the course, in `imgs/`: `draw_all` draws them again, byte for byte."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import PIL
from matplotlib import style

from socketlab.figures.picture import DPI, Picture
from socketlab.figures.tcp_calls import draw_tcp_socket
from socketlab.figures.wires import draw_ethernet, draw_localhost

DIAGRAMS: dict[str, Callable[[], Picture]] = {
    "tcp_socket": draw_tcp_socket,
    "localhost": draw_localhost,
    "ethernet": draw_ethernet,
}


def draw_all(folder: str | Path) -> list[Path]:
    """Write every image to `folder`, which is made if it is missing, and return the PNG files.

    The same versions of matplotlib and Pillow write the same bytes, whatever the user's settings.
    Each file names them in its metadata, beside the image in words. OSError if one cannot be
    written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with style.context("default"):
        return [_save(draw(), folder / f"{name}.png") for name, draw in DIAGRAMS.items()]


def drawn_with() -> str:
    """What the bytes of an image depend on: who draws it, who packs it, and on what machine."""
    machine = f"{sys.platform} {platform.machine()}"
    return f"matplotlib {matplotlib.__version__}, Pillow {PIL.__version__}, {machine}"


def _save(picture: Picture, path: Path) -> Path:
    about = {"Software": drawn_with(), "Description": picture.words}
    picture.figure.savefig(path, format="png", dpi=DPI, metadata=about)
    return path
