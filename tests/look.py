"""Take screenshots of a notebook as JupyterLab shows it, page by page."""

import argparse
import shutil
import tempfile
from pathlib import Path

import lab_page
from playwright.sync_api import Page

SCROLLER = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"


def copy_with_notebook(notebook: Path, folder: Path) -> str:
    """Copy the course and this notebook into folder; the notebook's path within it."""
    lab_page.copy_course(folder)
    notebook = notebook.resolve()
    inside = notebook.is_relative_to(lab_page.ROOT)
    name = notebook.relative_to(lab_page.ROOT) if inside else Path("notebooks", notebook.name)
    (folder / name).parent.mkdir(exist_ok=True)
    shutil.copy(notebook, folder / name)
    return name.as_posix()


def screenshots(page: Page, folder: Path, stem: str) -> list[Path]:
    """One PNG for each screenful of the open notebook, from top to bottom."""
    scroller = page.locator(SCROLLER)
    shown, whole = scroller.evaluate("e => [e.clientHeight, e.scrollHeight]")
    files = []
    for number, top in enumerate(range(0, whole, shown - 40), start=1):
        scroller.evaluate("(e, top) => { e.scrollTop = top }", top)
        files.append(folder / f"{stem}-{number:02}.png")
        scroller.screenshot(path=files[-1])
    return files


def look(notebook: Path, folder: Path, kept: bool, width: int, height: int) -> list[Path]:
    """Open a copy of the notebook, run it unless kept, and take its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        course, own = Path(temporary, "course"), Path(temporary, "own")
        course.mkdir()
        own.mkdir()
        name = copy_with_notebook(notebook, course)
        if not kept:
            lab_page.clear_outputs(course / name)
        with lab_page.jupyterlab(course, own) as lab, lab_page.chromium(width, height) as page:
            lab_page.open_notebook(page, lab, name)
            if not kept:
                lab_page.run_all_cells(page, seconds=120)
            page.keyboard.press("ControlOrMeta+B")  # no file browser beside the notebook
            return screenshots(page, folder, notebook.stem)


def main() -> None:
    """Read the words typed and print the name of each picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--kept", action="store_true", help="show the kept outputs, run nothing")
    parser.add_argument("--width", type=int, default=1100, help="of the window, in pixels")
    parser.add_argument("--height", type=int, default=1500, help="of the window, in pixels")
    typed = parser.parse_args()
    pictures = look(typed.notebook, typed.folder, typed.kept, typed.width, typed.height)
    print(*pictures, sep="\n")


if __name__ == "__main__":
    main()
