"""Runs a program as its own main program, and keeps each socket call it makes in a file.

python -I recorded.py FILE EVENTS RUNNER WORDS...: the calls go to the file EVENTS as lines. If
RUNNER is not empty, it is run in place of FILE, which is its first word then. The end of stdin
ends the program, after its last lines: the calls that it is still in.
"""

import os
import runpy
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # -I hides the kit that this file is of

from socketlab import taps
from socketlab.events import MOST, event_line
from socketlab.recorder import unfinished


class Keeper:
    """Keeps each event as it comes, up to the limit; at the end, the calls that had none."""

    def __init__(self, path: str, name: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        self._stop = os.dup(0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # for the program, nobody types anything
        self._count = 0
        self._last: dict[int, int] = {}  # of each thread, when its last call began
        self._lock = threading.RLock()  # a finalizer may close a socket in the middle of a line
        threading.Thread(target=self._end, daemon=True).start()
        taps.listen(self, self.keep)
        now = taps.clock()
        self.keep(taps.Event("thread", 0, now, now, threading.get_ident(), name))

    def keep(self, event: Any) -> None:
        """Write one event."""
        event = taps.Event._make(event)
        with self._lock:
            self._last[event.thread] = event.start
            self._count += 1
            if self._count <= MOST:
                os.write(self._file, event_line(event))

    def _end(self) -> None:
        while os.read(self._stop, 1):
            pass
        with self._lock:
            taps.forget(self)
            for event in unfinished(set(self._last.items()), taps.clock()):
                os.write(self._file, event_line(event))
            os._exit(0)


def main() -> None:
    """Run the program."""
    path, events, runner, *words = sys.argv[1:]
    Keeper(events, "function" if runner else "program")
    sys.argv[:] = [runner, path, *words] if runner else [path, *words]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
