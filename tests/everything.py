"""Check everything, whatever fails on the way, and say at the end what did: make test."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.font_manager  # noqa: F401  finds the fonts now, not while a notebook is compared

ROOT = Path(__file__).parent.parent
RUFF = [sys.executable, "-m", "ruff"]
# Many tests wait for another process most of the time: three workers for two processors.
WORKERS = str(max(2, min(8, (os.cpu_count() or 1) * 3 // 2)))
# One file is one worker's, so the cells of a notebook run in order, in one kernel.
PYTEST = [sys.executable, "-m", "pytest", "-n", WORKERS, "--dist=loadfile"]
# The files that take longest come first, so that the workers end together.
LONGEST = ("labs", "states", "nothing_left", "grading_grade", "harness", "grading_cluster")
FILES = ["--no-loadscope-reorder", *(f"tests/test_{name}.py" for name in LONGEST), "tests"]
# Fork bombs and the like load the machine: make hostile.
HOSTILE = "--ignore=tests/test_grading_hostile.py"
NBVAL = [
    "--nbval",
    "--nbval-current-env",
    "--nbval-cell-timeout=30",
    "--nbval-kernel-startup-timeout=60",
    "--nbval-sanitize-with=tests/nbval.cfg",
]


def parts(words: list[str]) -> dict[str, list[str]]:
    """The commands by name; words are added to pytest's."""
    notebooks = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("*/*.ipynb"))]
    return {
        "lint": [*RUFF, "check", "."],
        "format": [*RUFF, "format", "--check", "."],
        "tests and notebooks": [*PYTEST, *NBVAL, *words, HOSTILE, *FILES, *notebooks],
    }


def main() -> int:
    """Run every part; 0 if all of them pass."""
    failed = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # Nobody's own start-up files, nobody's own progress.
        own = {"IPYTHONDIR": folder, "SOCKETLAB_PROGRESS": f"{folder}/progress.json"}
        environment = os.environ | own
        for name, command in parts(sys.argv[1:]).items():
            print(f"\n== {name} ==", flush=True)
            if subprocess.run(command, cwd=ROOT, env=environment).returncode:
                failed.append(name)
    print(f"\nFAILED: {', '.join(failed)}" if failed else "\nEverything passes.", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
