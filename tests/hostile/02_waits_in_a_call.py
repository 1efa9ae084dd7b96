# Tries: a function that waits for ever, and catches Ctrl-C
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: in time

import contextlib
import time


def recv_exactly(conn, size):
    """Wrong."""
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(10**8)
