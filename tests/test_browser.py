"""The first notebook in real JupyterLab in a real browser: it opens, runs, saves, and shows."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lab_page
import pytest
from playwright.sync_api import Page

NOTEBOOK = "notebooks/01_first_echo.ipynb"
MUST_HAVE = os.environ.get("CI") == "true" and sys.platform == "linux"
NO_BROWSER = "no Chromium or Chrome on the PATH: install chromium to run this test"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[lab_page.Lab]:
    """JupyterLab on a copy of the course whose first notebook has not been run."""
    (tmp_path / "own").mkdir()
    course = lab_page.copy_course(tmp_path / "course")
    lab_page.clear_outputs(course / NOTEBOOK)
    with lab_page.jupyterlab(course, tmp_path / "own") as lab:
        yield lab


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of Chromium."""
    if lab_page.find_chromium() is None:
        assert not MUST_HAVE, NO_BROWSER
        pytest.skip(NO_BROWSER)
    with lab_page.chromium() as page:
        yield page


@contextmanager
def picture_of_failure(page: Page, file: Path) -> Iterator[None]:
    """If the block fails, what the page showed at that moment is in file."""
    try:
        yield
    except BaseException as error:
        page.screenshot(path=file)
        error.add_note(f"The page at that moment: {file}")
        raise


def width_of_first_picture(page: Page) -> int:
    """How many pixels wide the first picture among the outputs is, once it is really drawn."""
    picture = page.locator(".jp-OutputArea-output img").first
    picture.scroll_into_view_if_needed()
    return picture.evaluate("async image => { await image.decode(); return image.naturalWidth }")


def faults_of_run(cells: list[dict[str, Any]]) -> Iterator[str]:
    """What is wrong in the code cells of a saved run."""
    if [cell["execution_count"] for cell in cells] != list(range(1, len(cells) + 1)):
        yield "not every cell was run, in order and once"
    for cell in cells:
        failed = any(output["output_type"] == "error" for output in cell["outputs"])
        if failed != ("raises-exception" in cell["metadata"].get("tags", [])):
            yield f"raises-exception and an error go together: {cell['source']}"
    if not any("image/png" in out.get("data", {}) for cell in cells for out in cell["outputs"]):
        yield "no picture"


def test_first_notebook_runs_in_the_browser(page: Page, lab: lab_page.Lab, tmp_path: Path) -> None:
    with picture_of_failure(page, tmp_path / "page.png"):
        lab_page.open_notebook(page, lab, NOTEBOOK)
        lab_page.run_all_cells(page)
        lab_page.save(page)
        cells = lab_page.code_cells(lab.saved(NOTEBOOK))
        assert list(faults_of_run(cells)) == []
        assert width_of_first_picture(page) > 300
