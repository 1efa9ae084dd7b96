"""The habits of a notebook that a program can see. Each yields one sentence for each fault."""

import ast
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat

Cell = nbformat.NotebookNode
Faults = Iterator[str]

IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)[^)]*\)")
LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)[^)]*\)")
IMAGE_TAG = re.compile(r"<img\b[^>]*>")
PREDICT = re.compile(r"\*\*[^*]+\?\*\*(?:(?!\*\*[^*]+\?\*\*).)*<details>", re.DOTALL)
FOREIGN = re.compile(r"^\s*:::|\[![A-Z]+\]|```\s*mermaid", re.MULTILINE)
MACHINE_PATH = re.compile(
    r"(?<![\w./])(?:~/|/(?:home|opt|private|root|tmp|Users|usr|var|work)/|[A-Z]:\\)\S*"
)
COLOUR = re.compile(r"\x1b\[[\d;]*m")
NUMBER = re.compile(r"(?<![\w.,])\d{5}(?![\w.])")
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
LIST_ITEM = re.compile(r"^(?:[-*]|\d+\.) ", re.MULTILINE)
IGNORED_TAGS = {"nbval-ignore-output", "NBVAL_IGNORE_OUTPUT"}
PORTS_OF_THE_COURSE = {65432}
LIBRARIES = sys.stdlib_module_names | {"socketlab", "matplotlib"}


@dataclass(frozen=True)
class Notebook:
    """A notebook file, read."""

    path: Path
    cells: list[Cell]
    metadata: Cell

    @classmethod
    def read(cls, path: Path) -> "Notebook":
        """The notebook at path; nbformat's error if it is none."""
        content = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        return cls(path, content.cells, content.metadata)

    @cached_property
    def code(self) -> list[Cell]:
        """The code cells, in order."""
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @cached_property
    def prose(self) -> str:
        """All Markdown, in order."""
        return "\n\n".join(cell.source for cell in self.cells if cell.cell_type == "markdown")

    @property
    def nodes(self) -> list[ast.AST]:
        """Every syntax node of every code cell."""
        return [node for cell in self.code for node in ast.walk(parsed(cell))]

    def section(self, heading: str) -> str | None:
        """The Markdown under a heading, up to the next heading; None where there is none."""
        marks = list(HEADING.finditer(self.prose))
        for mark, after in zip(marks, [*marks[1:], None], strict=True):
            if mark[1] == heading:
                return self.prose[mark.end() : after.start() if after else None].strip()
        return None


def tags(cell: Cell) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


def lines(cell: Cell) -> int:
    """How many lines of a cell are not blank."""
    return sum(1 for line in cell.source.splitlines() if line.strip())


def words(markdown: str) -> int:
    """How many words a reader reads: no addresses, no HTML tags, no table rules."""
    shown = re.sub(r"\]\([^)]*\)|<[^>]+>", " ", markdown)
    return sum(1 for word in shown.split() if re.search(r"\w", word))


def parsed(cell: Cell) -> ast.Module:
    """The cell as a syntax tree; empty where it is not plain Python (see plain_python)."""
    try:
        return ast.parse(cell.source)
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def is_import(node: ast.AST) -> bool:
    """Whether a syntax node is an import."""
    return isinstance(node, ast.Import | ast.ImportFrom)


def shown_text(output: Cell) -> str:
    """What an output says in words: stream text, plain text, or the error with its traceback."""
    if output.output_type == "error":
        return COLOUR.sub("", "\n".join([output.evalue, *output.traceback]))
    return output.get("text", "") or output.get("data", {}).get("text/plain", "")


def images_in(markdown: str) -> list[tuple[str, str]]:
    """(alternative text, address) of each image in Markdown, HTML images too."""
    found = IMAGE.findall(markdown)
    for tag in IMAGE_TAG.findall(markdown):
        values = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        found.append((values.get("alt", ""), values.get("src", "")))
    return found


def links_in(markdown: str) -> list[str]:
    """The address of each link in Markdown, images not counted."""
    return LINK.findall(markdown)


def lost(address: str, folder: Path) -> bool:
    """Whether a relative address leads nowhere from folder."""
    file = address.partition("#")[0]
    return "://" not in address and bool(file) and not (folder / file).exists()


def faults_of_links(markdown: str, folder: Path) -> Faults:
    """Links that lead nowhere; images without words, from elsewhere, or missing."""
    for address in links_in(markdown):
        if lost(address, folder):
            yield f"the link to {address} leads nowhere"
    for alt, address in images_in(markdown):
        if not alt.strip():
            yield f"the image {address} has no alternative text"
        if "://" in address or lost(address, folder):
            yield f"the image {address} is not a file of the project"


# The habits ----------------------------------------------------------------------------------


def opens_with_a_question(nb: Notebook) -> Faults:
    """The first cell: a title, a question, "you can", the minutes."""
    first = nb.cells[0]
    wanted = {"# title": r"^# \S", "question": r"\?", '"you can"': "(?i)you can"}
    wanted["minutes"] = r"\d+ minutes"
    if first.cell_type != "markdown":
        yield "the first cell is not Markdown"
    for name, pattern in wanted.items():
        if not re.search(pattern, first.source, re.MULTILINE):
            yield f"the first cell has no {name}"


def plain_python(nb: Notebook) -> Faults:
    """Cells would run unchanged in a file: no magics, no shell commands, nothing empty."""
    for number, cell in enumerate(nb.code, start=1):
        try:
            empty = not ast.parse(cell.source).body
        except SyntaxError as error:
            yield f"code cell {number} is not plain Python: {error.msg}"
        else:
            if empty:
                yield f"code cell {number} is empty"


def one_set_up_cell(nb: Notebook) -> Faults:
    """The first code cell only imports, and no other cell imports."""
    for number, cell in enumerate(nb.code, start=1):
        if number == 1 and not all(map(is_import, parsed(cell).body)):
            yield "code cell 1, the set-up, does more than import"
        if number > 1 and any(map(is_import, ast.walk(parsed(cell)))):
            yield f"code cell {number} imports: the set-up cell is the place"


def imports_only_what_is_there(nb: Notebook) -> Faults:
    """Imports: the standard library, socketlab and matplotlib."""
    for node in nb.nodes:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            if name.partition(".")[0] not in LIBRARIES:
                yield f"{name} is imported: lessons use the standard library and socketlab"


def small_cells(nb: Notebook) -> Faults:
    """Code cells: median 4 lines at most, 90 % at most 12, never above 25."""
    sizes = [lines(cell) for cell in nb.code]
    if statistics.median(sizes) > 4:
        yield f"the median code cell has {statistics.median(sizes):g} lines, 4 at most"
    if sum(size > 12 for size in sizes) > 0.1 * len(sizes):
        yield f"more than one code cell in ten is longer than 12 lines: {sizes}"
    if max(sizes) > 25:
        yield f"a code cell has {max(sizes)} lines, 25 at most"


def enough_prose(nb: Notebook) -> Faults:
    """40 to 120 words of prose for each code cell, over the notebook."""
    ratio = words(nb.prose) / len(nb.code)
    if not 40 <= ratio <= 120:
        yield f"{ratio:.0f} words of prose for each code cell, 40 to 120 wanted"


def ends_well(nb: Notebook) -> Faults:
    """The ending: "What have we shown?" in five lines, "Try it" with two to four, a lab."""
    shown, tasks = nb.section("What have we shown?"), nb.section("Try it")
    if shown is None or not 1 <= len([line for line in shown.splitlines() if line.strip()]) <= 5:
        yield 'the section "What have we shown?" is missing or longer than five lines'
    if tasks is None or not 2 <= len(LIST_ITEM.findall(tasks)) <= 4:
        yield 'the section "Try it" is missing or has not two to four items'
    if not any("labs/" in address for address in links_in(nb.prose)):
        yield "no link to a lab"


def asks_before_it_shows(nb: Notebook) -> Faults:
    """At least one bold question with its answer folded in <details>."""
    if not PREDICT.search(nb.prose):
        yield "no bold question that a <details> follows"


def executed_in_order(nb: Notebook) -> Faults:
    """Execution counts are 1 to n."""
    counts = [cell.execution_count for cell in nb.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}: run make execute"


def errors_are_meant(nb: Notebook) -> Faults:
    """An error where a cell is tagged raises-exception, and nowhere else; no warnings."""
    for number, cell in enumerate(nb.code, start=1):
        failed = any(output.output_type == "error" for output in cell.outputs)
        if failed != ("raises-exception" in tags(cell)):
            yield f"code cell {number}: raises-exception and an error go together"
        if any(output.get("name") == "stderr" for output in cell.outputs):
            yield f"code cell {number} writes to stderr"


def no_trailing_semicolons(nb: Notebook) -> Faults:
    """No line ends on a semicolon."""
    for number, cell in enumerate(nb.code, start=1):
        if re.search(r";\s*$", cell.source, re.MULTILINE):
            yield f"code cell {number} ends a line on a semicolon: write _ = ..."


def pictures_are_png_with_words(nb: Notebook) -> Faults:
    """Pictures are PNG, have a text equivalent, and stand between two pieces of prose."""
    for before, cell, after in zip(nb.cells, nb.cells[1:], [*nb.cells[2:], None], strict=False):
        kinds = {kind for o in cell.get("outputs", []) for kind in o.get("data", {})}
        if "image/svg+xml" in kinds:
            yield f"cell {cell.id} has an SVG picture"
        if "image/png" not in kinds:
            continue
        if any(re.match("<|$", shown_text(o)) for o in cell.outputs if "data" in o):
            yield f"the picture of cell {cell.id} has no text equivalent"
        if not (before.cell_type == "markdown" and after and after.cell_type == "markdown"):
            yield f"the picture of cell {cell.id} is not announced before and read aloud after"


def common_markdown(nb: Notebook) -> Faults:
    """CommonMark, tables and <details> only."""
    for mark in FOREIGN.findall(nb.prose):
        yield f"{mark.strip()} shows raw in some viewers"


def links_and_images(nb: Notebook) -> Faults:
    """Every link leads somewhere, every image is there and has words."""
    yield from faults_of_links(nb.prose, nb.path.parent)


def few_ignored_outputs(nb: Notebook) -> Faults:
    """At most two outputs are not validated; tags say so, not comments; no cell is skipped."""
    ignored = [cell for cell in nb.code if tags(cell) & IGNORED_TAGS]
    if len(ignored) > 2:
        yield f"{len(ignored)} ignored outputs, two at most"
    if any(re.search("# *(NBVAL|PYTEST)_", cell.source) for cell in nb.code):
        yield "a comment tells nbval what to do: use a cell tag"
    if any(tag.lower().replace("_", "-") == "nbval-skip" for c in nb.code for tag in tags(c)):
        yield "a cell is skipped in validation"


def no_traces_of_the_run(nb: Notebook) -> Faults:
    """No time of execution, no path of a machine, no changing port where outputs are compared."""
    for number, cell in enumerate(nb.code, start=1):
        if "execution" in cell.metadata:
            yield f"code cell {number} keeps its times of execution: run make execute"
        text = "\n".join(map(shown_text, cell.outputs))
        if found := MACHINE_PATH.search(text):
            yield f"the output of code cell {number} has a path of a machine: {found[0]}"
        ports = {port for port in map(int, NUMBER.findall(text)) if 32768 <= port <= 65535}
        if ports - PORTS_OF_THE_COURSE and not tags(cell) & IGNORED_TAGS:
            yield f"the output of code cell {number} has a port that changes: {ports}"


def cells_have_their_own_ids(nb: Notebook) -> Faults:
    """Cell ids are unique."""
    for name, count in Counter(cell.get("id") for cell in nb.cells).items():
        if name is None or count > 1:
            yield f"{count} cells have the id {name}"


def servers_do_not_print(nb: Notebook) -> Faults:
    """Functions named serve... record; they never print."""
    functions = [n for n in nb.nodes if isinstance(n, ast.FunctionDef)]
    for server in (each for each in functions if each.name.startswith("serve")):
        if any(isinstance(n, ast.Name) and n.id == "print" for n in ast.walk(server)):
            yield f"{server.name} prints: the words would land in any cell"


def sockets_have_names(nb: Notebook) -> Faults:
    """listener, conn and sock; never s, c or lsock."""
    names = {n.id for n in nb.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names |= {node.arg for node in nb.nodes if isinstance(node, ast.arg)}
    for name in sorted(names & {"s", "c", "lsock"}):
        yield f"a variable is called {name}: say listener, conn or sock"


HABITS: list[Callable[[Notebook], Faults]] = [
    opens_with_a_question,
    plain_python,
    one_set_up_cell,
    imports_only_what_is_there,
    small_cells,
    enough_prose,
    ends_well,
    asks_before_it_shows,
    executed_in_order,
    errors_are_meant,
    no_trailing_semicolons,
    pictures_are_png_with_words,
    common_markdown,
    links_and_images,
    few_ignored_outputs,
    no_traces_of_the_run,
    cells_have_their_own_ids,
    servers_do_not_print,
    sockets_have_names,
]
