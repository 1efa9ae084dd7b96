# Tries: os._exit(0) in the middle of a call
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: ended before it could return from recv_exactly()

import os


def recv_exactly(conn, size):
    """Wrong."""
    os._exit(0)
