"""A notebook leaves nothing: no thread, process, descriptor, port or file, run once or twice."""

import json
import os
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from lab_page import copy_course
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

TESTS = Path(__file__).parent
NOTEBOOKS = sorted((TESTS.parent / "notebooks").glob("*.ipynb"))
LOAD = f"import sys\nsys.path.insert(0, {str(TESTS)!r})\nimport json, probe as _probe\n"
# The kernel starts a thread of its own when it first sends a message above 64 KiB.
WATCH = "_probe.watch_for_unclosed()\nprint('x' * 100_000)"
HELD = "print(json.dumps(_probe.held()))"


@pytest.fixture
def kernel_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a copy of the course; the kernel's temporary and own files go beside it."""
    for name in ("course", "temporary", "ipython"):
        (tmp_path / name).mkdir()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path / "temporary"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return copy_course(tmp_path / "course") / "notebooks"


def held_by(notebook: nbformat.NotebookNode, folder: Path) -> list[dict[str, dict[str, int]]]:
    """What its kernel held after the set-up cell, after all cells, and after all once more."""
    code = [(cell.source, cell.metadata) for cell in notebook.cells if cell.cell_type == "code"]
    load, look = (LOAD + WATCH, {}), (HELD, {})
    order = [load, code[0], look, *code[1:], look, *code, look]
    run = new_notebook(cells=[new_code_cell(text, metadata=about) for text, about in order])
    NotebookClient(run, timeout=60, resources={"metadata": {"path": str(folder)}}).execute()
    shown = [cell.outputs[0].text for cell in run.cells if cell.source == HELD]
    return [json.loads(text) for text in shown]


def left_over(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> list[str]:
    """Each thing that is there more often after than before."""
    return [
        f"{kind}: {thing}"
        for kind in after
        for thing in Counter(after[kind]) - Counter(before[kind])
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_leaves_nothing(path: Path, kernel_folders: Path) -> None:
    before, once, twice = held_by(nbformat.read(path, as_version=4), kernel_folders)
    for when, held in (("once", once), ("twice", twice)):
        left = left_over(before, held)
        assert not left, "\n".join([f"run {when}, {path.name} leaves", *left])


LEFT = """
opened = open(sys.executable, "rb")
listener = socket.create_server(("127.0.0.1", 0))
_ = tempfile.mkstemp("left behind")
threading.Thread(target=threading.Event().wait, daemon=True, name="left behind").start()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
_ = socket.socket(), "dropped at the next line"
_ = socket.socket.recv = socket.socket.recv
"""
SEEN = {
    "descriptors": os.path.realpath(sys.executable),
    "listening": "127.0.0.1",
    "files": "left behind",
    "threads": "left behind",
    "processes": "python",
    "dropped without close": "unclosed <socket.socket",
    "socket class": "recv:",
}


def test_what_is_left_is_seen(kernel_folders: Path) -> None:
    kernel_folders.mkdir(exist_ok=True)
    cells = [new_code_cell("import socket, subprocess, sys, tempfile, threading")]
    cells += [new_code_cell(line) for line in LEFT.strip().splitlines()]
    before, once, _ = held_by(new_notebook(cells=cells), kernel_folders)
    for kind, words in SEEN.items():
        assert any(words in thing for thing in left_over(before, once) if thing.startswith(kind))
