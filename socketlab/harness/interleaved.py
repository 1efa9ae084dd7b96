"""Runs a program as its own main program, and lets its threads change places at every step.

python -I interleaved.py FILE WORDS...: while two threads or more run beside the main one, each
sleeps a moment before every step (bytecode instruction) of the file FILE. So other threads come
between any two steps that nothing holds together: between reading a number and writing it back.
Standard library only.
"""

import _thread
import random
import runpy
import sys
import threading
import time

PAUSE = 1e-4  # seconds: the longest that a thread sleeps before a step
LONG = 3e-3  # seconds: before a step that writes what other threads may have read
SELDOM = 0.05  # of all steps are so slow, too
OFTEN = 0.4  # of the steps that read what other threads may write
WRITES = {"STORE_ATTR", "STORE_GLOBAL", "STORE_DEREF", "STORE_SUBSCR", "STORE_NAME"}
READS = {"LOAD_ATTR", "LOAD_GLOBAL", "LOAD_DEREF", "BINARY_SUBSCR"}


class Interleaving:
    """The trace function of every thread. `path` is the file whose steps are slow."""

    def __init__(self, path):
        self.path = path
        self.chances = {}  # of each code object: how likely a step is slow, by its offset

    def begin(self, frame, event, arg):
        """A function is called: if it is one of the file, look at each of its steps."""
        if frame.f_code.co_filename != self.path:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self.step

    def step(self, frame, event, arg):
        """A step comes next: let others go first."""
        if event == "opcode" and _thread._count() > 1:
            code = frame.f_code
            if code not in self.chances:
                self.chances[code] = chances_of(code)
            slow = random.random() < self.chances[code].get(frame.f_lasti, SELDOM)
            time.sleep(random.random() * (LONG if slow else PAUSE))
        return self.step

    def start_new_thread(self, function, args, kwargs=None):
        """`_thread.start_new_thread()`, whose threads know nothing of `threading.settrace()`."""

        def run():
            sys.settrace(self.begin)
            function(*args, **(kwargs or {}))

        return _START(run, ())


_START = _thread.start_new_thread


def chances_of(code):
    """How likely the steps are slow that read or write an attribute, an element or a variable
    that threads share; by their offsets in a code object."""
    import dis

    chances = dict.fromkeys(WRITES, 1) | dict.fromkeys(READS, OFTEN)
    steps = dis.get_instructions(code)
    return {each.offset: chances[each.opname] for each in steps if each.opname in chances}


def main():
    """Run the program."""
    path = sys.argv[1]
    sys.argv[:] = sys.argv[1:]
    sys.setswitchinterval(1e-5)
    interleaving = Interleaving(path)
    _thread.start_new_thread = interleaving.start_new_thread
    threading.settrace(interleaving.begin)
    sys.settrace(interleaving.begin)
    runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    main()
