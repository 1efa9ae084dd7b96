"""The habits are seen: a good notebook has no fault, and each way to break it is named."""

from collections.abc import Callable
from pathlib import Path

import habits
import nbformat
import pytest
from habits import Notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PROSE = "A server listens on a port of one host, and a client connects to it. " * 4
OPENING = "# Echo\n\nWhat comes back?\n\nAfter it you can open a socket. 15 minutes."
QUESTION = "**What comes back?**\n\n<details><summary>Answer</summary>The same.</details>"
ENDING = "## What have we shown?\n- one\n\n## Try it\n1. this\n2. that\n\n[Lab](labs/01.py)"


def a_good_notebook(folder: Path) -> Notebook:
    """A small notebook with every habit, in folder."""
    (folder / "labs").mkdir()
    (folder / "labs" / "01.py").touch()
    (folder / "a.png").touch()
    words = new_output("execute_result", {"text/plain": "b'hello'"}, execution_count=2)
    picture = {"text/plain": "A sends 5 bytes", "image/png": "iVBORw0KGgo="}
    shown = new_output("execute_result", picture, execution_count=3)
    failure = new_output("error", ename="OSError", evalue="gone", traceback=["OSError: gone"])
    cells = [
        new_markdown_cell(OPENING),
        new_code_cell("import socket\nfrom socketlab import record", execution_count=1),
        new_markdown_cell(PROSE + "[next](a.png)\n\n![a ladder](a.png)"),
        new_code_cell("with conn:\n    reply\nreply", execution_count=2, outputs=[words]),
        new_markdown_cell(PROSE + QUESTION),
        new_code_cell("picture", execution_count=3, outputs=[shown]),
        new_markdown_cell(PROSE + PROSE),
        new_code_cell("sock.recv(1)", execution_count=4, outputs=[failure]),
        new_markdown_cell(ENDING),
    ]
    cells[7].metadata["tags"] = ["raises-exception"]
    content = new_notebook(cells=cells)
    return Notebook(folder / "a.ipynb", content.cells, content.metadata)


def source(cell: int, text: str) -> Callable[[Notebook], None]:
    """A change: this cell has this source."""

    def change(nb: Notebook) -> None:
        nb.cells[cell].source = text

    return change


def prose(before: str, after: str) -> Callable[[Notebook], None]:
    """A change: these words become those, in all Markdown."""

    def change(nb: Notebook) -> None:
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                cell.source = cell.source.replace(before, after)

    return change


def output(cell: int, **values: object) -> Callable[[Notebook], None]:
    """A change: these values in the first output of this cell."""

    def change(nb: Notebook) -> None:
        nb.cells[cell].outputs[0].update(nbformat.from_dict(values))

    return change


def cell_is(cell: int, **values: object) -> Callable[[Notebook], None]:
    """A change: these values in this cell itself."""

    def change(nb: Notebook) -> None:
        nb.cells[cell].update(nbformat.from_dict(values))

    return change


def every_source(text: str) -> Callable[[Notebook], None]:
    """A change: every code cell has this source."""

    def change(nb: Notebook) -> None:
        for cell in nb.code:
            cell.source = text

    return change


def tag_all(tag: str) -> Callable[[Notebook], None]:
    """A change: every code cell has this tag."""

    def change(nb: Notebook) -> None:
        for cell in nb.code:
            cell.metadata.setdefault("tags", []).append(tag)

    return change


def same_ids(nb: Notebook) -> None:
    """A change: two cells have one id."""
    nb.cells[3]["id"] = nb.cells[4]["id"]


def text(words: str) -> dict[str, dict[str, str]]:
    """The data of an output that says only words."""
    return {"data": {"text/plain": words}}


SVG = {"data": {"image/svg+xml": "<svg/>", "text/plain": "a ladder"}}
FIGURE = {"data": {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480>"}}
NO_WORDS = {"data": {"image/png": "iVBORw0KGgo="}}
BROKEN = [
    ("opens_with_a_question", prose("# Echo", "Echo")),
    ("opens_with_a_question", prose("back?\n\nAfter", "back.\n\nAfter")),
    ("opens_with_a_question", prose("you can", "you will")),
    ("opens_with_a_question", prose("15 minutes", "a while")),
    ("opens_with_a_question", cell_is(0, cell_type="raw")),
    ("plain_python", source(3, "!ss -t")),
    ("plain_python", source(3, "%time reply")),
    ("plain_python", source(3, "")),
    ("plain_python", source(3, "# only words")),
    ("one_set_up_cell", source(1, "import socket\nHOST = '127.0.0.1'")),
    ("one_set_up_cell", source(3, "import time\ntime")),
    ("one_set_up_cell", source(3, "def serve(sock):\n    import time")),
    ("imports_only_what_is_there", source(1, "import numpy")),
    ("imports_only_what_is_there", source(1, "import socket, trio")),
    ("imports_only_what_is_there", source(1, "from trio import run")),
    ("imports_only_what_is_there", source(1, "from . import helper")),
    ("small_cells", source(3, "reply\n" * 26)),
    ("small_cells", source(3, "reply\n" * 13)),
    ("small_cells", every_source("reply\n" * 5)),
    ("enough_prose", prose(PROSE, "")),
    ("enough_prose", prose(PROSE, PROSE * 4)),
    ("ends_well", prose("What have we shown?", "The end")),
    ("ends_well", prose("- one\n", "- one\n" * 6)),
    ("ends_well", prose("Try it", "Tasks")),
    ("ends_well", prose("2. that\n", "")),
    ("ends_well", prose("2. that\n", "2. that\n" * 4)),
    ("ends_well", prose("[Lab](labs/01.py)", "")),
    ("asks_before_it_shows", prose("**What comes back?**", "What comes back?")),
    ("asks_before_it_shows", prose("<details>", "")),
    ("executed_in_order", cell_is(3, execution_count=None)),
    ("executed_in_order", cell_is(3, execution_count=7)),
    ("errors_are_meant", cell_is(7, metadata={})),
    ("errors_are_meant", cell_is(7, outputs=[])),
    ("errors_are_meant", output(3, output_type="stream", name="stderr", text="careful")),
    ("no_trailing_semicolons", source(3, "reply;")),
    ("no_trailing_semicolons", source(3, "reply; \nreply")),
    ("pictures_are_png_with_words", output(5, **SVG)),
    ("pictures_are_png_with_words", output(5, **FIGURE)),
    ("pictures_are_png_with_words", output(5, **NO_WORDS)),
    ("pictures_are_png_with_words", cell_is(4, cell_type="raw")),
    ("pictures_are_png_with_words", cell_is(6, cell_type="raw")),
    ("common_markdown", prose(PROSE, PROSE + "\n::: note\n")),
    ("common_markdown", prose(PROSE, PROSE + "\n> [!NOTE]\n")),
    ("common_markdown", prose(PROSE, PROSE + "\n```mermaid\n")),
    ("links_and_images", prose("(labs/01.py)", "(labs/02.py)")),
    ("links_and_images", prose("![a ladder]", "![]")),
    ("links_and_images", prose("![a ladder](a.png)", "![a ladder](b.png)")),
    ("links_and_images", prose("![a ladder](a.png)", "![a ladder](https://a.test/a.png)")),
    ("links_and_images", prose("![a ladder](a.png)", '<img src="a.png">')),
    ("links_and_images", prose("![a ladder](a.png)", '<img src="b.png" alt="a ladder">')),
    ("few_ignored_outputs", tag_all("nbval-ignore-output")),
    ("few_ignored_outputs", tag_all("NBVAL_IGNORE_OUTPUT")),
    ("few_ignored_outputs", tag_all("nbval-skip")),
    ("few_ignored_outputs", source(3, "# NBVAL_IGNORE_OUTPUT\nreply")),
    ("no_traces_of_the_run", cell_is(3, metadata={"execution": {"shell.execute_reply": "now"}})),
    ("no_traces_of_the_run", output(3, **text("'/home/ada/course'"))),
    ("no_traces_of_the_run", output(7, traceback=["File \x1b[32m~/lib/socket.py:2\x1b[39m"])),
    ("no_traces_of_the_run", output(3, **text("C:\\Users\\ada"))),
    ("no_traces_of_the_run", output(3, **text("('127.0.0.1', 49152)"))),
    ("cells_have_their_own_ids", same_ids),
    ("servers_do_not_print", source(3, "def serve_one(conn):\n    print(conn)")),
    ("sockets_have_names", source(3, "s = reply")),
    ("sockets_have_names", source(3, "def serve(c):\n    reply")),
    ("sockets_have_names", source(3, "with reply as lsock:\n    reply")),
]


@pytest.fixture
def good(tmp_path: Path) -> Notebook:
    """A notebook without a fault."""
    return a_good_notebook(tmp_path)


@pytest.mark.parametrize("habit", habits.HABITS, ids=lambda habit: habit.__name__)
def test_a_good_notebook_has_no_fault(good: Notebook, habit: Callable) -> None:
    assert list(habit(good)) == []


@pytest.mark.parametrize(("name", "change"), BROKEN)
def test_a_broken_habit_is_named(good: Notebook, name: str, change: Callable) -> None:
    change(good)
    assert list(getattr(habits, name)(good))


def test_every_habit_is_broken_once() -> None:
    assert {name for name, _ in BROKEN} == {habit.__name__ for habit in habits.HABITS}


def test_the_port_of_the_course_may_be_shown(good: Notebook) -> None:
    output(3, **text("('127.0.0.1', 65432) in 0.040000 s"))(good)
    assert not list(habits.no_traces_of_the_run(good))
