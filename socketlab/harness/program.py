"""A learner's program as a process: started, watched from outside, and ended for certain."""

from __future__ import annotations

import linecache
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import psutil

from socketlab.harness import counts
from socketlab.harness.box import Box, BoxedProcess, launch
from socketlab.harness.output import Output
from socketlab.harness.scene import Failed, Patience, Steps
from socketlab.harness.trouble import (
    ADDRESS_IN_USE,
    Crash,
    crash_text,
    exit_text,
    last_lines,
    read_crash,
    read_places,
    read_thread_crash,
)

Address = tuple[str, int]
STANDSTILL = 20.0  # seconds in which a process that was told to stop does so
METHOD = re.compile(r"(\w+)\(")
T = TypeVar("T")


class Program:
    """One run of the file `path` as `python -I -u FILE ARGS`, in a session of its own.

    Its output is read and bounded, its stdin is empty; `stop()` ends it with all its children.
    `path` must be absolute. Raises Failed if there is no such file. A `runner` is a Python file
    of the kit that is run in its place; its first argument is then FILE.
    """

    running: ClassVar[set[Program]] = set()
    box: ClassVar[Box | None] = None  # where every program is started; None: beside this process
    starting = threading.Lock()  # held while a process is started, and by end_all() for good
    stdin = subprocess.DEVNULL

    def __init__(
        self, path: Path, *args: object, patience: Patience, runner: Path | None = None
    ) -> None:
        if not path.is_file():
            what = "is a folder, not a file" if path.is_dir() else "does not exist"
            raise Failed(f"The file {path} {what}.")
        self.path, self.args, self.patience = path, [str(arg) for arg in args], patience
        self.steps, self.clients = Steps(), 0
        self._doing = self._doing_sign = ""  # what it did when it was last looked at
        self._where: list[Crash] = []  # and where each of its threads was, if that was asked
        self.address: Address | None = None  # where it listened first, once that was seen
        files = [runner, path] if runner else [path]
        options = ["-I", "-u", "-B", "-X", "utf8", "-X", "faulthandler"]
        python = Program.box.python if Program.box else sys.executable
        command = [python, *options, *map(str, files), *self.args]
        with Program.starting:
            how = {**_apart(), "stdin": self.stdin}
            self._process = launch(Program.box, command, files, **how)
            Program.running.add(self)
        assert self._process.stdout
        assert self._process.stderr
        self._stdout, self._stderr = Output(self._process.stdout), Output(self._process.stderr)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, below zero for a signal; None while the program runs."""
        return self._process.poll()

    @property
    def stdout(self) -> str:
        """What the program has written to stdout, shortened in the middle if it is long."""
        return self._text(self._stdout)

    @property
    def stderr(self) -> str:
        """What the program has written to stderr, shortened in the middle if it is long."""
        return self._text(self._stderr)

    def _text(self, output: Output) -> str:
        if self.exit_code is not None:
            output.wait_end()
        return output.text()

    # What the kernel says of it

    def family(self) -> list[psutil.Process]:
        """The process and all its descendants; [] when it has ended."""
        if Program.box and self.exit_code is not None:  # its number may be another's by now
            return []
        try:
            process = psutil.Process(self.pid)
            return [process, *counts.descendants(process)]
        except psutil.Error:
            return []

    def listening(self) -> list[Address]:
        """Where the program and its children listen (TCP): sorted (host, port)."""
        found: set[Address] = set()
        for process in self.family():
            with suppress(psutil.Error):
                entries = process.net_connections("tcp")
                found |= {tuple(e.laddr) for e in entries if e.status == psutil.CONN_LISTEN}
        return sorted(found)

    def cpu_seconds(self) -> float:
        """The CPU time that the program and its children have used so far."""
        return counts.cpu_seconds(self.family())

    def wake_ups(self) -> int:
        """How often threads of the program and its children have gone to sleep so far."""
        return counts.wake_ups(self.family())

    def threads(self) -> int:
        """How many threads the program and its children have, main threads included."""
        return counts.threads(self.family())

    def watch(self, seconds: float = 0.15) -> counts.Watched:
        """What the program uses while this process uses `seconds` of CPU time."""
        self.settle()
        cpu, wakes = self.cpu_seconds(), self.wake_ups()
        slept: list[bool] = []
        lasted = counts.burn(seconds, lambda: slept.append(counts.asleep(self.pid)))
        asleep = any(slept) or self.exit_code is not None
        used, woken = self.cpu_seconds() - cpu, self.wake_ups() - wakes
        return counts.Watched(lasted, seconds, max(0.0, used), max(0, woken), asleep)

    def descriptors(self) -> int:
        """How many descriptors the program has open (not on Windows)."""
        with suppress(psutil.Error):
            return int(psutil.Process(self.pid).num_fds())
        return 0

    # Waiting

    def wait_until(self, look: Callable[[], T], limit: float) -> T:
        """What `look()` returns: as soon as that is true, else when the program has ended or
        `limit` seconds have passed."""
        end, pause = time.monotonic() + limit, 0.002
        while not (seen := look()):
            if time.monotonic() > end or self.exit_code is not None:
                return look()
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        return seen

    def wait_listening(self) -> list[Address]:
        """Where the program listens, as soon as the kernel shows it.

        Raises Failed if the program ends first or does not listen in time.
        """
        half, busy = self.patience.start / 2, 0.0
        for _ in range(2):  # by the second half it has started: is it busy, or does it wait?
            busy = self.cpu_seconds()
            if seen := self.wait_until(self.listening, half):
                self.address = seen[0]
                return seen
        if self.settle() and (seen := self.listening()):  # late, on a machine that is overloaded
            self.address = seen[0]
            return seen
        if self.exit_code is not None:
            raise self.failed("The program ended before it listened.", signs=("no listener",))
        self.look_inside(busy, half)
        happened = f"After {2 * half:g} seconds the program still listens on no port."
        raise self.failed(happened, signs=("no listener",))

    def wait_ended(self, limit: float) -> bool:
        """Whether the program ends within `limit` seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(limit)
        return self.exit_code is not None

    def settle(self, limit: float = 1.0) -> bool:
        """Whether the program still runs, once it has ended or waits for something.

        Gives up after `limit` seconds: a program that spins never settles, and costs a fifth once
        that is known.
        """
        limit = limit / 5 if self.patience.spins else limit
        calm, before, end = 0, -1.0, time.monotonic() + limit
        while self.exit_code is None and time.monotonic() < end and calm < 3:
            now = self.cpu_seconds()
            calm = calm + 1 if counts.asleep(self.pid) and now == before else 0
            before = now
            time.sleep(0.01)
        return self.exit_code is None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The program and its children stand still meanwhile; the kernel still takes for them."""
        family = self.family()
        for process in family:
            with suppress(psutil.Error):
                process.suspend()
        # A signal has been sent: each thread stops when it next runs.
        self.wait_until(lambda: all(map(counts.stopped, family)), STANDSTILL)
        try:
            yield
        finally:
            for process in family:
                with suppress(psutil.Error):
                    process.resume()

    # Ending

    def interrupt(self) -> None:
        """Press Ctrl-C. On Windows this is Ctrl-Break, which ends Python without a traceback."""
        with suppress(ProcessLookupError):
            self._process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))

    def kill(self) -> None:
        """End the program and its children at once; it cannot do anything more."""
        family = self.family()
        if isinstance(self._process, BoxedProcess):
            self._process.end()
        elif sys.platform != "win32":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        self._process.wait()
        end = time.monotonic() + 5  # the kernel ends the others a moment later
        while any(map(runs, family)) and time.monotonic() < end:
            time.sleep(0.002)

    def stop(self) -> None:
        """Kill whatever still runs of the program and release what was held for it."""
        self.kill()
        Program.running.discard(self)
        for output in (self._stdout, self._stderr):
            output.wait_end()

    @classmethod
    def end_all(cls) -> None:
        """Kill every program that runs, and let no other start any more."""
        cls.starting.acquire()
        for program in list(cls.running):
            program.kill()

    # The report

    def failed(self, happened: str, *, signs: tuple[str, ...] = (), **seen: bytes | str) -> Failed:
        """The failure to raise: what happened, with the steps and what the program did."""
        told = {"steps": self.steps.lines(), "program": self.explain()}
        return Failed(happened, **told, signs=(*signs, *self.signs()), **seen)

    def signs(self) -> tuple[str, ...]:
        """What the program did, in words for the diagnosis, such as "exit 0", "crash OSError",
        "waits", "busy", "at recv" (a method on the line where it is), "in serve_forever"."""
        where = self.thread_crash or (self._where[0] if self._where else None)
        where = where or (self.crash if self.exit_code is not None else None)
        signs = [self._doing_sign] if self._doing_sign else []
        if self.thread_crash:
            signs += [f"crash {self.thread_crash.type}", "in a thread"]
        if where and not signs:
            signs = [f"crash {where.type}"]
        elif self.exit_code is not None and not signs:
            signs = [f"exit {self.exit_code}"]
        if where:
            signs += [f"at {name}" for name in METHOD.findall(where.code)]
            signs += [f"in {where.function}"]
        return tuple(signs)

    @property
    def crash(self) -> Crash | None:
        """The traceback that the program wrote last; None if there is none."""
        return read_crash(self.stderr, str(self.path))

    @property
    def thread_crash(self) -> Crash | None:
        """The last traceback of a thread that ended while the program went on; None if there is
        none. Clients that leave without a goodbye do that, too, and are not meant here."""
        return read_thread_crash(self.stderr, str(self.path))

    @property
    def port_was_taken(self) -> bool:
        """Whether the program ended because bind() or listen() found its port in use."""
        return self.crash is not None and self.crash.number in ADDRESS_IN_USE

    def explain(self) -> str:
        """What the program did, if that explains a failure: it stopped, it waits, it loops."""
        if crash := self.thread_crash:
            return crash_text(crash, "A thread of your program")
        if self._doing or self.exit_code is None:
            return self._doing
        if crash := self.crash:
            return crash_text(crash)
        words = [exit_text(self.exit_code)]
        for name, text in (("stderr", self.stderr), ("stdout", self.stdout)):
            if lines := last_lines(text):
                words += [f"It wrote to {name}:", *(f"    {s}" for s in lines.splitlines())]
        return "\n".join(words)

    def look_inside(self, cpu_before: float, waited: float) -> None:
        """Note for the report what the program does now. This ends it: at Ctrl-C Python shows
        where it was, and faulthandler where each thread was. A program that waits used no CPU
        time in the `waited` seconds before."""
        busy = self.cpu_seconds() - cpu_before > 0.05 * waited
        self.patience.spins |= busy
        what = "was busy all the time, in a loop" if busy else "was waiting"
        self._doing_sign = "busy" if busy else "waits"
        self._doing = f"Meanwhile your program {what}"
        if self._hides_places() and self._ask_places():
            self._doing += f", its main thread at {_place(self._where[0])}"
            others = list(dict.fromkeys(map(_place, self._where[1:])))
            self._doing += "".join(f"\nOther threads are at {place}" for place in others[:3])
            return
        self.interrupt()
        crash = self.crash if self.wait_ended(1) else None
        shown = crash and crash.type == "KeyboardInterrupt"
        self._doing += f", at {_place(crash)}" if crash and shown else "."

    def _hides_places(self) -> bool:
        """Whether Ctrl-C would not show where it is: other threads, or a handler of its own."""
        text = ""
        with suppress(OSError):  # a program may have removed its own file
            text = self.path.read_text(encoding="utf-8", errors="replace")
        return self.threads() > 1 or "KeyboardInterrupt" in text or "SIGINT" in text

    def _ask_places(self) -> bool:
        """Let faulthandler show where each thread is, which ends the program. Whether it did."""
        if sys.platform == "win32":
            return False
        with suppress(psutil.Error, AttributeError):
            psutil.Process(self.pid).rlimit(psutil.RLIMIT_CORE, (0, 0))
        self._process.send_signal(signal.SIGABRT)
        self.wait_ended(1)
        for line, function in read_places(self.stderr, str(self.path)):
            code = linecache.getline(str(self.path), line).strip()
            self._where.append(Crash("", "", line, function, code))
        return bool(self._where)


def _place(crash: Crash) -> str:
    return f"{crash.place}:\n    {crash.code}"


def runs(process: psutil.Process) -> bool:
    """Whether a process has not ended. One that ended, but was not yet waited for, has."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _apart() -> dict[str, Any]:
    """Popen's options for a process with a session and pipes of its own, and no colours."""
    colours = ("FORCE_COLOR", "PYTHON_COLORS")
    kept = {name: value for name, value in os.environ.items() if name not in colours}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return {**pipes, **own_session(), "env": {**kept, "NO_COLOR": "1"}}


def own_session() -> dict[str, Any]:
    """Popen's options that keep the terminal's Ctrl-C away from a process."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
