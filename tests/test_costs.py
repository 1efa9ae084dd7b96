"""usage() and room_for(): exact counts, and a limit that is raised and put back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest

from socketlab.costs import Usage, room_for, usage

needs_limits = pytest.mark.skipif(os.name != "posix", reason="Windows has no such limit")

# In a process of its own, since a hard limit that was lowered stays so.
ROOM = """
import os, resource
from socketlab.costs import room_for
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
with room_for({wanted}) as room:
    opened = [os.dup(0) for _ in range(room)]
for number in opened:
    os.close(number)
print(room, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def room(soft: int, hard: int, wanted: int) -> tuple[int, int]:
    """(room given, soft limit afterwards) in a process with these limits."""
    code = ROOM.format(soft=soft, hard=hard, wanted=wanted)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    given, after = run.stdout.split()
    return int(given), int(after)


def test_each_socket_is_counted_and_nothing_else() -> None:
    before = usage()
    with ExitStack() as stack:
        stack.enter_context(open(__file__, "rb"))
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(5):
            stack.enter_context(socket.create_connection(listener.getsockname()))
            stack.enter_context(listener.accept()[0])
        assert (usage() - before).sockets == 11
    assert (usage() - before).sockets == 0


def test_each_thread_is_counted() -> None:
    before, stop = usage(), threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert (usage() - before).threads == 3
    stop.set()
    for thread in threads:
        thread.join()
    assert (usage() - before).threads == 0


def test_memory_that_is_touched_is_counted() -> None:
    before = usage()
    kept = bytearray(b"x" * 50_000_000)
    assert (usage() - before).memory > 40_000_000
    del kept


@needs_limits
def test_the_soft_limit_is_raised_and_put_back() -> None:
    assert room(soft=128, hard=1024, wanted=500) == (500, 128)


@needs_limits
def test_a_limit_that_is_high_enough_stays() -> None:
    assert room(soft=1024, hard=1024, wanted=50) == (50, 1024)


@needs_limits
def test_a_low_hard_limit_leaves_less_room_and_no_error() -> None:
    given, after = room(soft=128, hard=256, wanted=2000)
    assert 100 < given < 256
    assert after == 128


@pytest.mark.parametrize("wrong", [-1, 1.5, "10", None])
def test_what_is_no_number_of_descriptors_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="use a whole number"), room_for(wrong):  # type: ignore[arg-type]
        pass


def test_only_usage_is_taken_from_usage() -> None:
    assert Usage(3, 5, 7) - Usage(1, 2, 3) == (2, 3, 4)
    with pytest.raises(TypeError):
        Usage(3, 5, 7) - 1  # type: ignore[operator]
