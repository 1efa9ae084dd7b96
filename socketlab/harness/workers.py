"""Runs checks side by side: processes forked from this one, which take one check after another."""

from __future__ import annotations

import json
import os
import queue
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

Job = dict[str, Any]
Do = Callable[[Job], Job]


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that does jobs: `sock` takes and gives JSON lines."""

    pid: int
    sock: socket.socket
    lines: Any


_running: list[Worker] = []


def can_fork() -> bool:
    """Whether this system has processes of this kind."""
    return hasattr(os, "fork")


@contextmanager
def workers(
    count: int, do: Callable[[Job], Job], end: Callable[[], None]
) -> Iterator[list[Worker]]:
    """So many processes, each of which does one job after another. When this is left they end
    what they do, call `end()`, and are gone."""
    team: list[Worker] = []
    try:
        for _ in range(count):
            team.append(_fork(team, do, end))
            _running.append(team[-1])
        yield team
    finally:
        end_workers()
        for worker in team:
            worker.lines.close()
            worker.sock.close()


def end_workers() -> None:
    """End every worker, whatever it does, and wait until all of them are gone."""
    team = list(_running)
    for worker in team:
        with suppress(OSError):
            worker.sock.shutdown(socket.SHUT_RDWR)
    for worker in team:
        with suppress(ChildProcessError):  # another thread has waited for it
            os.waitpid(worker.pid, 0)
    _running.clear()


def _fork(others: list[Worker], do: Do, end: Callable[[], None]) -> Worker:
    mine, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return Worker(pid, mine, mine.makefile("rb"))
    try:
        mine.close()
        for other in others:  # else they would not see that this program's end was closed
            other.lines.close()
            other.sock.close()
        _work(theirs, do, end)
    finally:
        end()
        os._exit(1)


def _work(sock: socket.socket, do: Do, end: Callable[[], None]) -> None:
    """Do jobs as they come. The end of the stream ends this process, whatever it does then."""
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()

    def listen() -> None:
        with suppress(OSError):
            for line in sock.makefile("rb"):
                jobs.put(json.loads(line))
        end()
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        sock.sendall(json.dumps(do(jobs.get())).encode("ascii") + b"\n")


def hand_out(
    team: list[Worker], jobs: Callable[[], Job | None], take: Callable[[Job], None]
) -> bool:
    """Give each worker a job whenever it has none, and `take` each result, until there is neither.

    False if a worker ended in the middle of a job.
    """
    free = list(team)
    with selectors.DefaultSelector() as selector:
        while True:
            while free and (job := jobs()) is not None:
                worker = free.pop()
                worker.sock.sendall(json.dumps(job).encode("ascii") + b"\n")
                selector.register(worker.sock, selectors.EVENT_READ, worker)
            if not selector.get_map():
                return True
            for key, _ in selector.select():
                line = key.data.lines.readline()
                if not line.endswith(b"\n"):
                    return False
                selector.unregister(key.fileobj)
                free.append(key.data)
                take(json.loads(line))
