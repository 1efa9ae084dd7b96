# Tries: a function that never returns
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: did not return from recv_exactly() in time


def recv_exactly(conn, size):
    """Wrong."""
    while True:
        pass
