# Tries: to close the connection of the checks, and live on
# Deserves: nothing
# Caught by: test_recv_exactly

import os
import time


def recv_exactly(conn, size):
    """Wrong."""
    os.closerange(0, 4096)
    time.sleep(10**6)
