"""A run of checks whose socket calls are recorded: the learner's program's and the checks' own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from socketlab.events import read_events
from socketlab.harness.program import Program
from socketlab.harness.scene import Patience
from socketlab.recorder import record
from socketlab.spans import write_spans

RUNNER = Path(__file__).with_name("recorded.py")


class RecordedProgram(Program):
    """A program that keeps its socket calls in the file `calls`, complete once it has ended."""

    stdin = subprocess.PIPE

    def __init__(
        self,
        path: Path,
        calls: Path,
        *args: object,
        patience: Patience,
        runner: Path | None = None,
    ) -> None:
        calls.touch()
        self.calls = calls
        super().__init__(path, calls, runner or "", *args, patience=patience, runner=RUNNER)

    def threads(self) -> int:
        """How many threads it has, but not the one that keeps its calls."""
        return max(0, super().threads() - 1)

    def kill(self) -> None:
        """End it as `Program` does, but first let it hear what was said to it, and write down what
        it is in the middle of."""
        assert self._process.stdin
        self.settle()
        self._process.stdin.close()
        self.wait_ended(2)
        super().kill()


class RecordedRun:
    """One run: `start()` starts programs; `write()` writes the spans of all of them, and of this
    process, to the file `path`, on one clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._programs: list[RecordedProgram] = []
        self._recording = record()

    def start(
        self, program: Path, *words: Any, patience: Patience, runner: Path | None = None
    ) -> Program:
        """Start a program that is recorded."""
        calls = self.path.with_name(f"calls-{len(self._programs)}")
        how = {"patience": patience, "runner": runner}
        self._programs.append(RecordedProgram(program, calls, *words, **how))
        return self._programs[-1]

    def write(self) -> None:
        """The end: every program has been stopped."""
        kept = [program.calls.read_bytes() for program in self._programs]
        events = [event for i, lines in enumerate(kept, 1) for event in read_events(lines, i)]
        write_spans(self.path, self._recording.stop_with(events))
