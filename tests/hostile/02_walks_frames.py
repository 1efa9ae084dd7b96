# Tries: to find what is wanted in frames, in modules and among all objects
# Deserves: nothing
# Caught by: test_recv_exactly

import gc
import sys


def candidates():
    """All bytes that it can see."""
    frame = sys._getframe()
    while frame:
        yield from frame.f_locals.values()
        yield from frame.f_globals.values()
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "wanted" in thing:
            yield thing["wanted"]


def recv_exactly(conn, size):
    """Wrong."""
    return next((each for each in candidates() if type(each) is bytes and each), b"wrong")
