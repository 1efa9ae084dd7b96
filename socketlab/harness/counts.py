"""What a process costs, counted from outside: CPU time, wake-ups, threads, descriptors."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """The processes below one. psutil asks every process of the machine for its parent; that most
    programs have no child is known from the kernel's own list (Linux: proc_pid_task_children(5)),
    which is only to be trusted when it is empty."""
    try:
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        if not any((task / "children").read_bytes() for task in tasks):
            return []
    except OSError:  # another system, a kernel without this list, or a thread that has ended
        pass
    return process.children(recursive=True)


def cpu_seconds(family: Iterable[psutil.Process]) -> float:
    """The CPU time these processes have used so far. On Linux exact, elsewhere in ticks."""
    total = 0.0
    for process in family:
        with suppress(psutil.Error, OSError, ValueError):
            if sys.platform == "linux":
                stats = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
                total += sum(int(_read(stat).split()[0]) for stat in stats) / 1e9
            else:
                total += sum(process.cpu_times()[:2])
    return total


def wake_ups(family: Iterable[psutil.Process]) -> int:
    """How often threads of these processes went to sleep, which is how often they woke up."""
    total = 0
    for process in family:
        with suppress(psutil.Error, OSError):
            if sys.platform == "linux":
                for status in Path(f"/proc/{process.pid}/task").glob("*/status"):
                    total += _number(_read(status), "voluntary_ctxt_switches:")
            else:
                total += process.num_ctx_switches().voluntary
    return total


def asleep(pid: int) -> bool:
    """Whether a process waits for something; False when it has ended."""
    if sys.platform != "linux":  # elsewhere a waiting process is called "running", too
        return True
    with suppress(psutil.Error):
        return bool(psutil.Process(pid).status() == psutil.STATUS_SLEEPING)
    return False


def stopped(process: psutil.Process) -> bool:
    """Whether a process stands still, with each of its threads, or has ended."""
    if sys.platform == "linux":  # state is the word behind the name: proc_pid_stat(5)
        stats = map(_read, Path(f"/proc/{process.pid}/task").glob("*/stat"))
        return all(stat.rpartition(") ")[2][0] in "TtZX0" for stat in stats)
    with suppress(psutil.Error):
        return bool(process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE))
    return True


def _read(path: Path) -> str:
    with suppress(OSError):  # the thread has ended
        return path.read_text()
    return "0"


def _number(text: str, name: str) -> int:
    words = (line.split() for line in text.splitlines() if line.startswith(name))
    return next((int(found[1]) for found in words), 0)


def threads(family: Iterable[psutil.Process]) -> int:
    """How many threads these processes have, together."""
    total = 0
    for process in family:
        with suppress(psutil.Error):
            total += process.num_threads()
    return total


@dataclass(frozen=True, slots=True)
class Watched:
    """What a program used while it was watched: `seconds` went by, in which the watcher used
    `burnt` seconds of CPU time. On a loaded machine a busy program gets about as much, or waits
    for a processor: then it was `asleep` at no look."""

    seconds: float
    burnt: float
    cpu: float
    wake_ups: int
    asleep: bool = True

    @property
    def busy(self) -> bool:
        """Whether it was in a loop that never waits."""
        return self.cpu > 0.3 * self.burnt or not self.asleep

    @property
    def polling(self) -> bool:
        """Whether it woke up again and again: more than 20 times a second."""
        return self.wake_ups > 3 + 20 * self.seconds


def burn(seconds: float, look: Callable[[], object] = lambda: None, looks: int = 20) -> float:
    """Use so much CPU time here: a program that is never idle uses as much meanwhile. Calls
    `look` so many times, and returns the seconds that went by."""
    began, end = time.monotonic(), time.process_time()
    for _ in range(looks):
        end += seconds / looks
        while time.process_time() < end:
            pass
        look()
    return time.monotonic() - began
