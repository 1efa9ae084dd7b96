"""Runs check files in a process of their own, which ends for certain with this one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypedDict, Unpack

import psutil

from socketlab.harness.program import own_session
from socketlab.harness.verdicts import BrokenStreamError, Verdict, read_verdict, read_verdicts

LOOK = 0.05  # seconds between two looks at the verdicts
MARK = "SOCKETLAB_RUN"  # an environment variable of all that one run starts
LONGEST_RUN = 180.0  # seconds; the checks have deadlines of their own, and those are shorter


class ChecksError(RuntimeError):
    """The checks themselves stopped before their end. The program is neither right nor wrong."""


class Options(TypedDict, total=False):
    """How checks are run: `patience` is how many seconds a silence may last (5), `seed` that of
    random payloads (1), `jobs` how many checks are tried side by side (4). With `first_failure`
    they stop at it; with `only`, the one check of this name is tried. `recording` is a file for
    the spans of the checks and of the programs that they start; then there is one job."""

    patience: float
    seed: int
    jobs: int
    first_failure: bool
    only: str
    recording: Path


def run_checks(
    program: Path, files: Sequence[Path], reading: Path | None = None, **options: Unpack[Options]
) -> list[Verdict]:
    """The verdicts of the check files on a program, perhaps only up to the first failure.

    `reading` is the reading table. Raises ChecksError if the verdicts do not come to their end.
    """
    return list(stream_checks(program, files, reading, **options))


def stream_checks(
    program: Path, files: Sequence[Path], reading: Path | None = None, **options: Unpack[Options]
) -> Generator[Verdict, None, None]:
    """The same verdicts one after another, each as soon as it is known. To stop the checks, close
    this iterator."""
    with closing(running_checks(program, files, reading, **options)) as running:
        for fresh in running:
            yield from fresh


def running_checks(
    program: Path, files: Sequence[Path], reading: Path | None = None, **options: Unpack[Options]
) -> Generator[list[Verdict], None, None]:
    """What stream_checks() yields, as lists: an empty one whenever nothing is new for a moment."""
    words = [f"--program={program.absolute()}"] + ([f"--reading={reading}"] if reading else [])
    words += ["--exitfirst"] if options.pop("first_failure", False) else []
    words += [f"--{name}={value}" for name, value in options.items()]
    with tempfile.TemporaryDirectory(prefix="socketlab-") as folder:
        yield from _run_in(Path(folder), [*words, *map(str, files)])


def _run_in(folder: Path, words: list[str]) -> Generator[list[Verdict], None, None]:
    """Run pytest with these words; `folder` takes its settings, output and verdicts."""
    (folder / "pytest.ini").write_text("[pytest]\n")  # the project's own is not for checks
    (folder / "verdicts").touch()
    count = 0
    with open(folder / "output", "wb") as output:
        command = [*_pytest(folder), f"--verdicts={folder / 'verdicts'}", *words]
        with closing(_run(command, output.fileno(), folder)) as running:
            for _ in running:
                fresh = _lines(folder)[count:]
                count += len(fresh)
                yield [read_verdict(line) for line in fresh]
    try:
        yield _verdicts(folder)[count:]
    except ChecksError:
        _end_all_of(folder)
        raise


def _lines(folder: Path) -> list[str]:
    """The verdicts that have been written so far, the final record not among them."""
    lines = (folder / "verdicts").read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n") and not line.startswith('{"end"')]


def _pytest(folder: Path) -> list[str]:
    python = [sys.executable, "-P", "-B", "-m", "pytest", "-s", "--tb=short"]
    settings = ["-c", str(folder / "pytest.ini"), "--rootdir", str(folder), "--noconftest"]
    plain = ["--import-mode=importlib", "--assert=plain", "-p", "no:cacheprovider"]
    return [*python, *settings, *plain, "-p", "socketlab.harness", "--lifeline"]


def _run(command: list[str], output: int, mark: Path) -> Generator[None, None, None]:
    """Run a command to its end, with a moment now and then to look at what it has done.

    Whatever stops the wait stops the command and its children.
    """
    kit = str(Path(__file__).parents[2])
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [kit, env.get("PYTHONPATH", "")]))
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", MARK: str(mark)}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=env, **own_session()
    )
    ends = time.monotonic() + LONGEST_RUN  # after that the missing final record tells
    try:
        while process.poll() is None and time.monotonic() < ends:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK)
            yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the checks: their stdin ends, so they end what they started, and then themselves."""
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()


def _end_all_of(mark: Path) -> None:
    """End what is left of a run whose checks died: nobody else knows what they had started."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # somebody else's, or gone
            if process.environ().get(MARK) == str(mark):
                process.kill()
                process.wait(5)


def _verdicts(folder: Path) -> list[Verdict]:
    try:
        with open(folder / "verdicts", encoding="utf-8") as lines:
            return read_verdicts(lines)
    except (OSError, BrokenStreamError) as error:
        output = (folder / "output").read_text(encoding="utf-8", errors="replace")
        message = f"The checks stopped before their end ({error}). Your program is not to blame."
        raise ChecksError(f"{message}\n{output[-2000:]}") from None
