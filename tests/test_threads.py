"""Programs with threads: made to change places, and seen where each of them is."""

import sys

import pytest
from programs import write

from socketlab.harness import Program
from socketlab.harness.plugin import INTERLEAVED
from socketlab.harness.scene import Patience
from socketlab.harness.trouble import crash_text, read_places, read_thread_crash

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")

COUNT = """
import _thread, threading
number, lock, all_there = 0, threading.Lock(), threading.Barrier(4)

def count():
    global number
    {count}

def count_ten(done):
    all_there.wait()
    for _ in range(10):
        count()
    done.release()

done = [threading.Semaphore(0) for _ in range(4)]
for each in done:
    {start}
for each in done:
    each.acquire()
print(number)
"""
THREADING = "threading.Thread(target=count_ten, args=(each,)).start()"
LOW_LEVEL = "_thread.start_new_thread(count_ten, (each,))"


@pytest.fixture
def start(tmp_path):
    """Starts a program from its source, perhaps with a runner; stops it at the end."""
    programs = []

    def start_one(source, runner=None):
        path = write(tmp_path, source)
        programs.append(Program(path, patience=Patience(60), runner=runner))
        return programs[-1]

    yield start_one
    for program in programs:
        program.stop()


def last_number(start, count, how):
    program = start(COUNT.format(count=count, start=how), INTERLEAVED)
    assert program.wait_ended(60)
    assert program.stderr == ""
    return int(program.stdout)


@pytest.mark.parametrize("how", [THREADING, LOW_LEVEL], ids=["threading", "_thread"])
class TestInterleaved:
    @pytest.mark.parametrize("count", ["number += 1", "number = number + 1"])
    def test_an_update_without_a_lock_is_lost(self, start, count, how):
        assert last_number(start, count, how) < 40

    def test_with_a_lock_none_is_lost(self, start, how):
        assert last_number(start, "with lock: number += 1", how) == 40


def test_an_interleaved_program_is_its_own_main_program(start, tmp_path):
    program = start("import sys; print(__name__, sys.argv == [__file__])\n1 / 0", INTERLEAVED)
    assert program.wait_ended(20)
    assert program.stdout == "__main__ True\n"
    assert (program.exit_code, program.crash.line, program.crash.type) == (
        1,
        2,
        "ZeroDivisionError",
    )


class TestThreadCrash:
    def test_a_thread_that_stopped_explains_a_program_that_runs(self, start):
        program = start(
            """
            import threading, time
            def talk():
                b"" + "text"
            threading.Thread(target=talk).start()
            time.sleep(100)
            """
        )
        assert program.wait_until(lambda: "TypeError" in program.stderr, 20)
        assert program.exit_code is None
        assert "A thread of your program stopped at line 4, in talk:" in program.explain()
        assert {"crash TypeError", "in a thread", "in talk"} <= set(program.signs())

    def test_a_thread_without_a_tuple_never_was_in_the_file(self, start):
        program = start("import threading\nthreading.Thread(target=print, args=(1)).start()\n")
        assert program.wait_ended(20)
        text = crash_text(read_thread_crash(program.stderr, str(program.path)), "A thread")
        assert text.startswith("A thread could not begin:\n    TypeError: ")
        assert text.endswith("a tuple of one has a comma: (conn,).")

    def test_a_client_that_left_is_not_meant(self, start):
        source = """
            import threading
            def talk():
                raise ConnectionResetError(104, "Connection reset by peer")
            thread = threading.Thread(target=talk)
            thread.start()
            thread.join()
            1 / 0
            """
        program = start(source)
        assert program.wait_ended(20)
        assert "ConnectionResetError" in program.stderr
        assert program.thread_crash is None
        assert "ZeroDivisionError" in program.explain()


@POSIX
class TestPlaces:
    SOURCE = """
        import threading
        lock = threading.Lock()
        def wait():
            lock.acquire()
        lock.acquire()
        threading.Thread(target=wait).start()
        threading.Event().wait()
        """

    def test_each_thread_is_seen_where_it_waits(self, start):
        program = start(self.SOURCE)
        assert program.wait_until(lambda: program.threads() == 2, 20)
        program.settle()
        program.look_inside(program.cpu_seconds(), 1)
        assert program.explain() == (
            "Meanwhile your program was waiting, its main thread at line 8:\n"
            "    threading.Event().wait()\n"
            "Other threads are at line 5, in wait:\n    lock.acquire()"
        )
        assert program.signs()[:1] == ("waits",)
        assert "at wait" in program.signs()

    def test_so_is_a_program_that_catches_ctrl_c(self, start):
        program = start(
            """
            import time
            try:
                time.sleep(100)
            except KeyboardInterrupt:
                pass
            """
        )
        program.settle()
        program.look_inside(program.cpu_seconds(), 1)
        assert "its main thread at line 4:\n    time.sleep(100)" in program.explain()

    def test_text_of_another_file_shows_no_place(self):
        text = 'Current thread 0x1 (most recent call first):\n  File "/a.py", line 3 in <module>\n'
        assert read_places(text, "/a.py") == [(3, "<module>")]
        assert read_places(text, "/b.py") == []
