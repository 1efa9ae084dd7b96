"""The images in imgs/: drawn by code, byte for byte, with nothing that overlaps."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from drawn_text import touching, words_of
from matplotlib.figure import Figure
from PIL import Image

from socketlab.figures.boxes import draw_box
from socketlab.figures.diagrams import DIAGRAMS, draw_all, drawn_with
from socketlab.figures.sheet import Sheet

IMAGES = Path(__file__).resolve().parent.parent / "imgs"
MUST_SAY = {
    "tcp_socket": "socket() bind( listen() accept() connect( sendall( recv( close() "
    "SYN SYN+ACK ACK FIN data",
    "localhost": "127.0.0.1 ::1 TCP IP lo kernel programs sendall( recv(",
    "ethernet": "192.0.2.10 192.0.2.20 frame packet segment switch TCP IP sendall( recv(",
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which every image was drawn."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_all(folder)
    return folder


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


def test_each_image_is_in_imgs(drawn: Path) -> None:
    names = [f"{name}.png" for name in DIAGRAMS]
    assert names == ["tcp_socket.png", "localhost.png", "ethernet.png"]
    assert sorted(path.name for path in drawn.iterdir()) == sorted(names)
    assert all((IMAGES / name).is_file() for name in names)


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_image_in_imgs_is_what_the_code_draws(name: str, drawn: Path) -> None:
    kept, new = IMAGES / f"{name}.png", drawn / f"{name}.png"
    with Image.open(kept) as image:
        software = image.info["Software"]
    if software == drawn_with():
        assert kept.read_bytes() == new.read_bytes(), "draw it again with: socketlab figures"
    assert pixels(kept).shape == pixels(new).shape
    assert np.abs(pixels(kept) - pixels(new)).mean() < 2  # of 255: fonts differ by a hair


def test_drawing_again_gives_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    with matplotlib.rc_context(
        {"font.size": 30, "savefig.dpi": 10, "lines.dashed_pattern": [9, 9]}
    ):
        again = draw_all(tmp_path / "new" / "folder")
    assert [path.parent for path in again] == [tmp_path / "new" / "folder"] * len(DIAGRAMS)
    for path in again:
        assert path.read_bytes() == (drawn / path.name).read_bytes()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="file"):
        draw_all(tmp_path / "file")


@pytest.mark.parametrize("name", DIAGRAMS)
def test_an_image_says_who_drew_it_and_what_it_shows(name: str, drawn: Path) -> None:
    with Image.open(drawn / f"{name}.png") as image:
        about = image.info
    assert matplotlib.__version__ in about["Software"]
    assert "Pillow" in about["Software"]
    assert about["Description"] == repr(DIAGRAMS[name]())


@pytest.mark.parametrize("name", DIAGRAMS)
def test_an_image_is_a_white_card_of_a_good_size(name: str, drawn: Path) -> None:
    with Image.open(drawn / f"{name}.png") as image:
        assert 1000 <= image.width <= 1400
        assert image.convert("RGBA").getextrema()[3] == (255, 255)  # opaque: dark themes keep it
    colours = pixels(drawn / f"{name}.png")
    for edge in (colours[:24], colours[-24:], colours[:, :24], colours[:, -24:]):
        assert (edge == 255).all()


@pytest.mark.parametrize("name", DIAGRAMS)
def test_no_words_touch_anything(name: str) -> None:
    assert touching(DIAGRAMS[name]().figure) == []


@pytest.mark.parametrize("name", DIAGRAMS)
def test_an_image_and_its_words_say_the_same(name: str) -> None:
    picture = DIAGRAMS[name]()
    written = " ".join(words_of(picture.figure))
    for word in MUST_SAY[name].split():
        assert word in written
    for word in set(MUST_SAY[name].split()) - {"kernel", "programs"}:
        assert word in picture.words


def wrong_sheet(wrong: str) -> Figure:
    """A figure whose words are wrong in the one way that `wrong` says."""
    sheet = Sheet(4, 4)
    sheet.text(1, 1, "some words")
    if wrong == "overlaps":
        sheet.text(1.2, 1, "others")
    elif wrong == "leaves the paper":
        sheet.text(3.8, 2, "far too long")
    elif wrong == "is crossed by a line":
        sheet.line([(0, 0.9, 3, 1.1)], "#000000")
    elif wrong == "leaves its box":
        draw_box(sheet, (0.9, 0.8, 1.6, 1.2))
    return sheet.figure


WRONGS = ["overlaps", "leaves the paper", "is crossed by a line", "leaves its box"]


@pytest.mark.parametrize("wrong", WRONGS)
def test_words_that_touch_something_are_found(wrong: str) -> None:
    assert [each for each in WRONGS if any(each in it for it in touching(wrong_sheet(wrong)))] == [
        wrong
    ]
    assert touching(wrong_sheet("")) == []
