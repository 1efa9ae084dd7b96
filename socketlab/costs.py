"""What this process uses: threads, sockets and memory; and room for many descriptors.

before = usage()
...
cost = usage() - before
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil

try:
    import resource
except ImportError:  # Windows: no such limit there
    resource = None  # type: ignore[assignment]

SPARE = 64  # descriptors left to everybody else: files, pipes, the notebook itself


class Usage(NamedTuple):
    """Python's threads, open IP sockets, and bytes of memory of this process.

    Files and pipes are not counted: a notebook's kernel opens and closes them as it likes.
    """

    threads: int
    sockets: int
    memory: int

    def __sub__(self, before: object) -> Usage:
        if not isinstance(before, Usage):
            return NotImplemented
        return Usage(*(now - then for now, then in zip(self, before, strict=True)))


def usage() -> Usage:
    """What this process uses now. `memory` is what it has in RAM (the resident set)."""
    process = psutil.Process()
    sockets = len(process.net_connections("inet"))
    return Usage(threading.active_count(), sockets, process.memory_info().rss)


@contextmanager
def room_for(descriptors: int) -> Iterator[int]:
    """How many of `descriptors` can be opened now: the system's limit is raised meanwhile.

    That is all of them, unless the hard limit of this process (`ulimit -Hn`) is lower. ValueError
    if `descriptors` is no whole number from 0 up.
    """
    if not isinstance(descriptors, int) or descriptors < 0:
        raise ValueError(f"descriptors is {descriptors!r}: use a whole number from 0 up")
    if resource is None:
        yield descriptors
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = psutil.Process().num_fds() + SPARE
    allowed = _at_most(hard, used + descriptors)
    if not _allows(soft, allowed):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    try:
        yield max(0, allowed - used)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _allows(limit: int, number: int) -> bool:
    return limit == resource.RLIM_INFINITY or number <= limit


def _at_most(limit: int, number: int) -> int:
    return number if _allows(limit, number) else limit
