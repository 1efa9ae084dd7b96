"""Runs check files in a process of their own, which ends for certain with this one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

import psutil

from socketlab.harness.box import Box
from socketlab.harness.channel import Channel
from socketlab.harness.program import own_session
from socketlab.harness.verdicts import BrokenStreamError, Verdict, read_verdict, read_verdicts
from socketlab.temporary import own_folder

LOOK = 0.05  # seconds between two looks at the verdicts
MARK = "SOCKETLAB_RUN"  # an environment variable of all that one run starts
LONGEST_RUN = 180.0  # seconds; the checks have deadlines of their own, and those are shorter


class ChecksError(RuntimeError):
    """The checks themselves stopped before their end. The program is neither right nor wrong."""


class OutOfTimeError(ChecksError):
    """The run as a whole took too long and was stopped. Each verdict that came before is good."""


class StoppedError(ChecksError):
    """The run was stopped because nobody wants its verdicts any more."""


Wrap = Callable[[list[str], Path], list[str]]


class Options(TypedDict, total=False):
    """How checks are run: `patience` is how many seconds a silence may last (5), `seed` that of
    random payloads (1), `jobs` how many checks are tried side by side (4). With `first_failure`
    they stop at it; with `only`, the one check of this name is tried. `recording` is a file for
    the spans of the checks and of the programs that they start; then there is one job.

    `longest` is how many seconds the run may last (180); once `stop` is set, it ends at once with
    StoppedError. `box` is where each program is started;
    `wrap` is given pytest's command and the folder of its settings, and returns what to run."""

    patience: float
    seed: int
    jobs: int
    first_failure: bool
    only: str
    recording: Path
    longest: float
    stop: threading.Event | None
    box: Box | None
    wrap: Wrap | None


@dataclass(frozen=True)
class Until:
    """When a run ends at the latest: after so many `seconds`, or when `stop` is set."""

    seconds: float = LONGEST_RUN
    stop: threading.Event | None = None


def run_checks(
    program: Path, files: Sequence[Path], reading: Path | None = None, **options: Unpack[Options]
) -> list[Verdict]:
    """The verdicts of the check files on a program, perhaps only up to the first failure.

    `reading` is the reading table. Raises ChecksError if the verdicts do not come to their end;
    if that is because the run took too long, it is an OutOfTimeError.
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
    words += [f"--box={box.text()}"] if (box := options.pop("box", None)) else []
    wrap = options.pop("wrap", None)
    until = Until(options.pop("longest", LONGEST_RUN), options.pop("stop", None))
    words += [f"--{name}={value}" for name, value in options.items()]
    with own_folder() as folder:
        yield from _run_in(folder, [*words, *map(str, files)], wrap, until)


def _run_in(
    folder: Path, words: list[str], wrap: Wrap | None, until: Until
) -> Generator[list[Verdict], None, None]:
    """Run pytest with these words; `folder` takes its settings and output."""
    (folder / "pytest.ini").write_text("[pytest]\n")  # the project's own is not for checks
    count = 0
    with open(folder / "output", "wb") as output, closing(Channel(folder)) as channel:
        command = [*_pytest(folder), f"--verdicts={channel.where}", *words]
        command = wrap(command, folder) if wrap else command
        try:
            with closing(_run(command, output.fileno(), folder, channel, until)) as running:
                for _ in running:
                    fresh = _lines(channel)[count:]
                    count += len(fresh)
                    yield [read_verdict(line) for line in fresh]
            yield read_verdicts(channel.text().splitlines())[count:]
        except BrokenStreamError as error:
            _end_all_of(folder)
            raise _broken(folder, error) from None
        except (OutOfTimeError, StoppedError):
            _end_all_of(folder)
            raise


def _lines(channel: Channel) -> list[str]:
    """The verdicts that have been written so far, the final record not among them."""
    lines = channel.text().splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n") and not line.startswith('{"end"')]


def _pytest(folder: Path) -> list[str]:
    python = [sys.executable, "-P", "-m", "pytest", "-s", "--tb=short"]
    settings = ["-c", str(folder / "pytest.ini"), "--rootdir", str(folder), "--noconftest"]
    plain = ["--import-mode=importlib", "--assert=plain", "-p", "no:cacheprovider"]
    return [*python, *settings, *plain, "-p", "socketlab.harness", "--lifeline"]


def _run(
    command: list[str], output: int, mark: Path, channel: Channel, until: Until
) -> Generator[None, None, None]:
    """Run a command to its end, with a moment now and then to look at what it has done.

    Whatever stops the wait stops the command and its children.
    """
    streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": output, "stderr": output}
    process = subprocess.Popen(
        command, env=environment(mark), **streams, **channel.given, **own_session()
    )
    ends = time.monotonic() + until.seconds
    try:
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK)
            yield
            if time.monotonic() > ends:
                message = f"The checks were stopped: they took longer than {until.seconds:g} s."
                raise OutOfTimeError(message)
            if until.stop and until.stop.is_set():
                raise StoppedError("The checks were stopped.")
    finally:
        _end(process)


def environment(mark: Path) -> dict[str, str]:
    """The environment of pytest: the kit can be imported, and no plugin of others is."""
    kit = str(Path(__file__).parents[2])
    names = [name for name in list(os.environ) if not name.startswith("PYTEST_")]
    env = {name: os.environ[name] for name in names}  # pytest changes its own while others run
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [kit, env.get("PYTHONPATH", "")]))
    return env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", MARK: str(mark)}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the checks: their stdin ends, so they end what they started, and then themselves."""
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):  # it has just ended
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


def _broken(folder: Path, error: BrokenStreamError) -> ChecksError:
    output = (folder / "output").read_text(encoding="utf-8", errors="replace")
    message = f"The checks stopped before their end ({error}). Your program is not to blame."
    return ChecksError(f"{message}\n{output[-2000:]}")
