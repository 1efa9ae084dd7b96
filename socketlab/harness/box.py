"""How a learner's program is started where it can reach nothing but the network of its check.

A box is words to put before the program's own command. They start a keeper (`keeper.py`), perhaps
in namespaces of its own; the keeper starts the program and says over a socket which process that
is and how it ended. When the harness closes the socket, the keeper ends all that is left.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

START = 30.0  # seconds until the keeper must have said that the program has started
END = 5.0  # seconds that it may take to end all that the program has started
_ENDED = re.compile(rb"ended (-?\d{1,3})\n")
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: the kernel's word, in this process's numbers


class BoxError(RuntimeError):
    """A box could not be started: nothing is known of the program."""


@dataclass(frozen=True, slots=True)
class Box:
    """`before` starts the box, `file` shows it one file (each {} stands for its path), `keeper`
    starts the keeper in it; then come the keeper's own words, "--" and the program's command.
    `python` is the interpreter that is there."""

    python: str
    before: tuple[str, ...]
    file: tuple[str, ...]
    keeper: tuple[str, ...]

    def command(
        self, command: Sequence[str], files: Sequence[Path], words: list[str]
    ) -> list[str]:
        """The whole command that starts `command` in the box. It reads these files only."""
        shown = [word.replace("{}", str(file)) for file in files for word in self.file]
        return [*self.before, *shown, *self.keeper, *words, "--", *command]

    def text(self) -> str:
        """The box in one line, for a command line; `read_box()` reads it."""
        return json.dumps(asdict(self))


def read_box(text: str) -> Box | None:
    """The box that `Box.text()` wrote; None for an empty text."""
    if not text:
        return None
    values = json.loads(text)
    python = values.pop("python")
    return Box(python, **{name: tuple(words) for name, words in values.items()})


class BoxedProcess:
    """A program that runs in a box, with what the harness uses of a Popen: `pid` is the program's
    own, as seen from here, and `poll()` its own exit code. BoxError if the box does not start."""

    def __init__(self, box: Box, command: Sequence[str], files: Sequence[Path]) -> None:
        self._code: int | None = None
        self._said = b""
        self._reading = threading.Lock()
        self._control, theirs = socket.socketpair()
        if sys.platform == "linux":
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        outputs = [os.pipe(), os.pipe()]
        given = [theirs.fileno(), *(write for _, write in outputs)]
        names = ("control", "stdout", "stderr")
        words = [f"{name}={number}" for name, number in zip(names, given, strict=True)]
        self._keeper = subprocess.Popen(
            box.command(command, files, words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=given,
            start_new_session=True,
        )
        theirs.close()
        for _, write in outputs:
            os.close(write)
        self.stdout, self.stderr = (open(read, "rb", buffering=0) for read, _ in outputs)  # noqa: SIM115
        self.stdin = None
        self.pid = self._started()

    def _started(self) -> int:
        """The program's process id: the kernel's word of who sent the first line."""
        end, sender = time.monotonic() + START, 0
        while self._said.count(b"\n") < 2:
            left = max(0.0, end - time.monotonic())
            if not select.select([self._control], [], [], left)[0]:
                self._given_up("it did not start in time")
            said, ancillary, _, _ = self._control.recvmsg(
                600, socket.CMSG_SPACE(_CREDENTIALS.size)
            )
            if not said:
                self._given_up(f"its keeper ended with exit code {self._keeper.wait(END)}")
            if not sender and ancillary:
                sender = _CREDENTIALS.unpack(ancillary[0][2][: _CREDENTIALS.size])[0]
            self._said += said
        started, then, self._said = self._said.split(b"\n", 2)
        if then != b"runs":
            self._given_up(then.decode("utf-8", "replace"))
        return sender or int(started.split()[1])

    def _given_up(self, why: str) -> None:
        self.end()
        for stream in (self.stdout, self.stderr):
            stream.close()
        raise BoxError(f"The sandbox of the program did not work: {why}.")

    def poll(self) -> int | None:
        """The program's exit code, below zero for a signal; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """The program's exit code, when it has ended. Raises subprocess.TimeoutExpired."""
        end = time.monotonic() + (END if timeout is None else timeout)
        while (code := self._look(max(0.0, end - time.monotonic()))) is None:
            if time.monotonic() >= end:
                raise subprocess.TimeoutExpired(self._keeper.args, timeout or END)
        return code

    def _look(self, limit: float) -> int | None:
        with self._reading:
            if self._code is None and self._readable(limit):
                self._take()
        return self._code

    def _readable(self, limit: float) -> bool:
        return b"\n" in self._said or bool(select.select([self._control], [], [], limit)[0])

    def _take(self) -> None:
        """Take what the keeper says. One that leaves without a word was killed by the program."""
        data = b""
        if b"\n" not in self._said:
            with suppress(OSError):
                data = self._control.recv(100)
        self._said += data
        if said := _ENDED.match(self._said):
            self._code = int(said[1])
        elif not data or len(self._said) > 100:
            self._code = -int(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send the program a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def end(self) -> None:
        """End the program and all that it has started: the keeper does it, and ends."""
        with self._reading, suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        try:
            self._keeper.wait(END)
        except subprocess.TimeoutExpired:
            self._keeper.kill()  # with namespaces, this ends all that is in them
            self._keeper.wait()
        self._look(0)
        self._code = -int(signal.SIGKILL) if self._code is None else self._code
        self._control.close()


Process = subprocess.Popen[bytes] | BoxedProcess


def launch(
    box: Box | None, command: Sequence[str], files: Sequence[Path], **options: Any
) -> Process:
    """Start a command that reads these files: in the box, or else as Popen does with `options`."""
    if box is None:
        return subprocess.Popen(command, **options)
    return BoxedProcess(box, command, files)
