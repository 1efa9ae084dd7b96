# Tries: a recursion that Python stops
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: RecursionError


def recv_exactly(conn, size):
    """Wrong."""
    return recv_exactly(conn, size)
