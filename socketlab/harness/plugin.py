"""The pytest plugin that runs the checks of a lab: `pytest -p socketlab.harness --program FILE`.

Each check is a test function with `@lab_check(...)`. The first line of its docstring is its
title; the rest is what a failure means. Verdicts go to the file given with `--verdicts`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pytest

from socketlab.harness.box import read_box
from socketlab.harness.client import Client
from socketlab.harness.functions import Functions
from socketlab.harness.program import Program
from socketlab.harness.reading import reading_table
from socketlab.harness.recording import RecordedRun
from socketlab.harness.scene import Failed, Patience
from socketlab.harness.schedule import Check, Schedule
from socketlab.harness.verdicts import Verdict, final_line, read_verdict, verdict_line
from socketlab.harness.workers import Job, can_fork, end_workers, hand_out, workers

HOST = "127.0.0.1"
SLOW = 0.5  # seconds: a program that takes longer to listen is started ahead of its checks
SPARES = 6  # so many at a time
INTERLEAVED = Path(__file__).with_name("interleaved.py")

Start = Callable[..., Program]


def lab_check(
    read: str = "", gate: bool = False, after: str | tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Any]:
    """Mark a test function as a check. `read` is a key of the reading table, if any.

    If a check with `gate` fails, the checks after it are not tried; a check is not tried either
    if one that it comes `after` (by name) has failed. Checks are tried side by side.
    """
    names = (after,) if isinstance(after, str) else tuple(after)
    return pytest.mark.lab_check(read=read, gate=gate, after=names)


class Bench:
    """One run of a lab's checks on one program."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.getoption
        self.path = Path(option("--program")).absolute()
        self.patience = Patience(option("--patience"))
        self.reading = reading_table(option("--reading"))
        self.seed = option("--seed")
        self.stream = _open(option("--verdicts"))
        Program.box = read_box(option("--box"))
        self.count, self.complete = 0, False
        self._spares: list[Program] = []
        self._slow = False
        self._recorded = (
            RecordedRun(Path(option("--recording"))) if option("--recording") else None
        )
        self._run: Start = self._recorded.start if self._recorded else Program

    def start(self, *words: object) -> Program:
        """The program, started with these words, or told to listen on any port of HOST."""
        return self._run(self.path, *(words or (HOST, 0)), patience=self.patience)

    def interleaved(self) -> Program:
        """The program on port 0, listening: its threads change places between any two steps."""
        program = Program(self.path, HOST, 0, patience=self.patience, runner=INTERLEAVED)
        program.steps.add("your program is started so that its threads often change places")
        program.wait_listening()
        return program

    def functions(self) -> Functions:
        """The functions of the program, imported in a process of its own."""
        return Functions(self.path, self.patience, self._run)

    def listening(self) -> Program:
        """The program on port 0, as soon as it listens. Of a slow one, some are kept ready."""
        program = self._spares.pop(0) if self._spares else self.start()
        began = time.monotonic()
        program.wait_listening()
        self._slow = self._slow or time.monotonic() - began > SLOW
        if self._slow and not self._recorded:  # of a recording only what takes part is wanted
            self._spares += [self.start() for _ in range(SPARES - len(self._spares))]
        return program

    def write(self, verdict: Verdict) -> None:
        """One verdict more."""
        self.stream.write(verdict_line(verdict))
        self.count += 1

    def close(self) -> None:
        """The end: stop what still runs; the final record only if every check had its verdict."""
        for program in list(Program.running):
            program.stop()
        if self._recorded:
            self._recorded.write()
        if self.complete:
            self.stream.write(final_line(self.count))
        self.stream.close()


def _open(where: str) -> TextIO:
    """What verdicts are written to: a file by its path, or by the number of its descriptor."""
    return open(int(where) if where.isdecimal() else where, "w", encoding="utf-8", buffering=1)


_BENCH = pytest.StashKey[Bench]()
_VERDICT = pytest.StashKey[Verdict]()


# pytest's hooks


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a run."""
    group = parser.getgroup("socketlab", "checks of a lab")
    group.addoption("--program", help="the learner's program", default="")
    group.addoption(
        "--verdicts",
        help="where the verdicts go: a path, or a descriptor's number",
        default=os.devnull,
    )
    group.addoption("--reading", help="the reading table (TOML)", default="")
    group.addoption("--patience", help="seconds that a silence may last", type=float, default=5.0)
    group.addoption("--seed", help="of random payloads", type=int, default=1)
    group.addoption("--jobs", help="how many checks side by side", type=int, default=4)
    group.addoption("--only", help="the name of the one check to try", default="")
    group.addoption("--recording", help="where to write the run's socket calls", default="")
    group.addoption("--box", help="how programs are started apart (JSON)", default="")
    group.addoption("--lifeline", help="end when stdin ends (needs -s)", action="store_true")


def pytest_configure(config: pytest.Config) -> None:
    """Begin a run."""
    config.addinivalue_line("markers", "lab_check(read, gate, after): a check of a lab")
    if config.getoption("--program"):
        # If Ctrl-C is ignored here, it would be ignored in every program that is started.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.dont_write_bytecode = True  # from here on it is that of the checks, and lies with them
        config.stash[_BENCH] = Bench(config)


def _end_with_stdin() -> None:
    """End this process and every program it started as soon as whoever started it is gone."""
    while os.read(0, 1):
        pass
    end_workers()
    Program.end_all()
    os._exit(3)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every test must be a check, and what it tells the learner to read must be in the table."""
    if not (bench := config.stash.get(_BENCH, None)):
        return
    if only := config.getoption("--only"):
        items[:] = [item for item in items if item.name == only]
    for item in items:
        mark = item.get_closest_marker("lab_check")
        if mark is None or not _docstring(item)[0]:
            raise pytest.UsageError(f"{item.nodeid}: give it @lab_check() and a docstring")
        read = mark.kwargs["read"]
        if read and bench.reading and read not in bench.reading:
            raise pytest.UsageError(f"{item.nodeid}: {read!r} is not in the reading table")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Try the checks, as many as `--jobs` side by side."""
    config, bench = session.config, session.config.stash.get(_BENCH, None)
    if not bench or session.testsfailed or config.option.collectonly:
        return None
    first = config.getoption("maxfail") == 1  # -x
    schedule = Schedule(list(map(_check, session.items)), bench.write, bench.patience.loss, first)
    following, take = partial(_next, schedule, bench), partial(_take, schedule, bench)
    jobs = min(config.getoption("--jobs"), len(session.items)) if can_fork() else 1
    jobs = 1 if config.getoption("--recording") else jobs
    if jobs > 1:
        with workers(jobs, partial(_job, session), Program.end_all) as team:
            _lifeline(config)
            whole = hand_out(team, following, take)
    else:
        _lifeline(config)
        whole = True
        while job := following():
            take(_job(session, job))
    bench.complete = whole and schedule.complete
    return True


def _check(item: pytest.Item) -> Check:
    mark = item.get_closest_marker("lab_check")
    assert mark
    after = () if item.config.getoption("--only") else mark.kwargs["after"]
    return Check(item.name, _docstring(item)[0], mark.kwargs["gate"], after)


def _next(schedule: Schedule, bench: Bench) -> Job | None:
    place = next(schedule.ready(), None)
    return None if place is None else {"place": place, "silences": bench.patience.silences}


def _job(session: pytest.Session, job: Job) -> Job:
    """Try one check, in this process."""
    bench, item = session.config.stash[_BENCH], session.items[job["place"]]
    bench.patience.silences = job["silences"]
    bench.patience.begin_check()
    began = time.monotonic()
    item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
    silences, bench.patience.silences = bench.patience.silences - job["silences"], job["silences"]
    result = {"verdict": verdict_line(item.stash[_VERDICT]), "silences": silences}
    return {"place": job["place"], "seconds": time.monotonic() - began, **result}


def _take(schedule: Schedule, bench: Bench, result: Job) -> None:
    bench.patience.silences += result["silences"]
    verdict = read_verdict(result["verdict"])
    schedule.done(result["place"], verdict, result["seconds"])


def _lifeline(config: pytest.Config) -> None:
    if config.getoption("--lifeline"):
        threading.Thread(target=_end_with_stdin, daemon=True).start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make the verdict while the program still runs; write it when the check is over."""
    report = yield
    bench = item.config.stash.get(_BENCH, None)
    if bench and (_VERDICT not in item.stash or item.stash[_VERDICT].outcome == "pass"):
        item.stash[_VERDICT] = _verdict(item, bench, call)
    return report


def _docstring(item: pytest.Item) -> tuple[str, str]:
    """The title of a check and what its failure means."""
    title, _, rest = (getattr(item, "obj", item).__doc__ or "").strip().partition("\n")
    return title.rstrip("."), " ".join(rest.split())


def _verdict(item: pytest.Item, bench: Bench, call: pytest.CallInfo[None]) -> Verdict:
    title, means = _docstring(item)
    name = item.name
    error = call.excinfo.value if call.excinfo else None
    if error is None:
        return Verdict(name, title, "pass")
    if isinstance(error, pytest.skip.Exception):
        return Verdict(name, title, "skip", happened=str(error.msg))
    mark = item.get_closest_marker("lab_check")
    read = bench.reading.get(mark.kwargs["read"], "") if mark else ""
    if not isinstance(error, Failed):
        where = call.excinfo.traceback[-1] if call.excinfo else ""
        happened = f"The check itself is broken: {type(error).__name__}: {error} ({where})"
        return Verdict(name, title, "error", happened=happened)
    seen = {"sent": error.sent, "got": error.got, "wanted": error.wanted}
    told = {"program": error.program, "means": means, "read": read, "signs": error.signs}
    told["seed"] = str(bench.seed) if "rng" in getattr(item, "fixturenames", ()) else ""
    return Verdict(name, title, "fail", error.steps, error.happened, **seen, **told)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the run."""
    if bench := session.config.stash.get(_BENCH, None):
        bench.close()


# Fixtures for checks


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    """The run this check is part of."""
    return request.config.stash[_BENCH]


@pytest.fixture
def start(bench: Bench) -> Iterator[Start]:
    """Starts the program: `start(host, port)` or with any other words of a command line.

    Port 0 leaves the choice to the kernel.
    """
    programs: list[Program] = []

    def start_one(*words: object) -> Program:
        programs.append(bench.start(*words))
        return programs[-1]

    yield start_one
    for program in programs:
        program.stop()


@pytest.fixture
def server(bench: Bench) -> Iterator[Program]:
    """The program, told to listen on a free port of 127.0.0.1, and listening."""
    program = bench.listening()
    yield program
    program.stop()


@pytest.fixture
def interleaved(bench: Bench) -> Iterator[Program]:
    """As `server`, but the program's threads change places between any two of its steps: what
    two threads must not do at once goes wrong nearly every time."""
    program = bench.interleaved()
    yield program
    program.stop()


@pytest.fixture
def client(server: Program) -> Iterator[Client]:
    """A client that is connected to `server`."""
    with Client(server) as client:
        yield client


@pytest.fixture
def functions(bench: Bench) -> Iterator[Functions]:
    """The functions of the learner's file, in a process of its own."""
    functions = bench.functions()
    yield functions
    functions.close()


@pytest.fixture
def rng(bench: Bench) -> random.Random:
    """Random numbers, the same for the same seed."""
    return random.Random(bench.seed)
