"""The instructor's commands, each in a process of its own, and small classes for them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from handed_in import put

from socketlab.grading.gradebook import Gradebook, GradebookError
from socketlab.grading.result import Result

ROOT = Path(__file__).parent.parent
LAB = "02_framing"
STARTER = (ROOT / "labs" / f"{LAB}.py").read_bytes()
RIGHT = (ROOT / "solutions" / f"{LAB}.py").read_bytes()
MUTANT = (ROOT / "solutions" / "mutants" / "02_one_recv.py").read_bytes()
ROSTER = "id,name\nada,Ada\nben,Ben\ncyd,Cyd\ndee,Dee\neve,Eve\n"
Done = subprocess.CompletedProcess[str]
LONGEST = 100  # seconds; only a command that hangs reaches it


def small_class(folder: Path) -> Path:
    """One of each kind: right, mistaken, not begun, unclear; the roster knows one more."""
    return put(
        folder,
        {
            "ada/02_framing.py": RIGHT,
            "ben/my framing (2).py": MUTANT,
            "cyd/work/02_framing.py": STARTER,
            "dee/one.py": RIGHT,
            "dee/other.py": STARTER,
        },
    )


def beginners(folder: Path, count: int) -> Path:
    """So many learners who have not begun: all programs differ, and each is graded quickly."""
    return put(folder, {f"s{n:02}/02_framing.py": STARTER + b"# %d\n" % n for n in range(count)})


def roster(folder: Path) -> Path:
    """The class, as a file."""
    path = folder / "class.csv"
    path.write_text(ROSTER, encoding="utf-8")
    return path


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "socketlab.cli", *map(str, words)]


def socketlab(*words: object, code: int = 0, longest: float = LONGEST) -> Done:
    """One command, whole; it must end with this exit code."""
    done = subprocess.run(
        _command(*words),
        capture_output=True,
        encoding="utf-8",
        timeout=longest,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, done
    return done


@contextmanager
def begun(*words: object) -> Iterator[subprocess.Popen[str]]:
    """A command that runs meanwhile; it is killed in the end."""
    process = subprocess.Popen(
        _command(*words), stderr=subprocess.PIPE, encoding="utf-8", stdin=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_graded(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Until so many are in the gradebook. The command must run until then."""
    end = time.monotonic() + LONGEST
    while len(results(out)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def results(out: Path) -> list[tuple[str, Result]]:
    """What is in the gradebook, sorted: each learner with a result, whatever time it took."""
    try:
        with Gradebook(out / "gradebook.sqlite", read_only=True) as book:
            found = [(student, replace(each, seconds=0)) for student, each in book.results()]
    except GradebookError:  # not yet
        return []
    return sorted(found, key=repr)


def pages(out: Path) -> dict[str, bytes]:
    """Every file that is made from the gradebook, without what says how long it took."""
    files = [path for path in out.rglob("*") if path.is_file() and ".sqlite" not in path.name]
    lasted = re.compile(rb'("?(?:seconds|execution_time|time|timestamp)"?[:=] ?"?)[\d.T:+-]+')
    return {
        path.relative_to(out).as_posix(): lasted.sub(rb"\1", path.read_bytes()) for path in files
    }
