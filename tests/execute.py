"""Execute notebooks in place, top to bottom; what belongs to this machine is taken out."""

import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER_OF_FILE = re.compile(r"(?:~|/|[A-Z]:\\)[^\s:\x1b]*[/\\](?=[^\s:/\\\x1b]+\.py\b)")


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Take out what belongs to this machine: folders in tracebacks, the version of Python."""
    notebook.metadata.get("language_info", {}).pop("version", None)
    for output in (out for cell in notebook.cells for out in cell.get("outputs", [])):
        if "traceback" in output:
            output.traceback = [FOLDER_OF_FILE.sub(".../", text) for text in output.traceback]


def execute(path: Path) -> None:
    """Run every cell in a new kernel and write the outputs; CellExecutionError if a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=60,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--log-level=ERROR"],
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SOCKETLAB_PROGRESS"] = f"{folder}/progress.json"
        client.execute()
    tidy(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"executing {name}", flush=True)
        execute(Path(name))
