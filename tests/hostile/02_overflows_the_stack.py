# Tries: a recursion that Python does not stop
# Deserves: nothing
# Caught by: test_recv_exactly

import sys

sys.setrecursionlimit(10**9)


def recv_exactly(conn, size):
    """Wrong."""
    return repr(recv_exactly(conn, [size]))
