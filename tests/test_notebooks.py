"""Every notebook keeps the habits of the course, and nbval's strict run can see it."""

from collections.abc import Callable
from pathlib import Path

import habits
import nbformat
import pytest
from habits import Notebook

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("labs/*.ipynb")])
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_the_course_starts_with_the_first_echo() -> None:
    assert NOTEBOOKS
    assert NOTEBOOKS[-1].parent.name == "notebooks"
    assert (ROOT / "notebooks" / "01_first_echo.ipynb") in NOTEBOOKS


@each_notebook
def test_notebook_is_a_valid_file(path: Path) -> None:
    nbformat.validate(nbformat.read(path, as_version=nbformat.NO_CONVERT))


@each_notebook
@pytest.mark.parametrize("habit", habits.HABITS, ids=lambda habit: habit.__name__)
def test_notebook_keeps_the_habit(path: Path, habit: Callable[[Notebook], habits.Faults]) -> None:
    faults = list(habit(Notebook.read(path)))
    assert not faults, f"{path.name}: " + "; ".join(faults)


@pytest.mark.parametrize("name", ["README.md"])
def test_links_and_images_of_the_front_page(name: str) -> None:
    markdown = (ROOT / name).read_text(encoding="utf-8")
    assert not list(habits.faults_of_links(markdown, ROOT))
