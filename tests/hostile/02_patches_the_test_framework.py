# Tries: to make pytest and the kit pass everything
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: returned something else

import sys
import types


class Passes(types.ModuleType):
    """Whatever is asked of it, it passes."""

    def __getattr__(self, name):
        return lambda *args, **named: True


for name in ("pytest", "_pytest", "_pytest.runner", "unittest", "socketlab.harness", "doctest"):
    try:
        vars(__import__(name)).update(raises=None, fail=print, Failed=print, same=bool)
    except Exception:
        sys.modules[name] = Passes(name)


def recv_exactly(conn, size):
    """Wrong."""
    return b"wrong"
