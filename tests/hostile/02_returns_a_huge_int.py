# Tries: an int of 25 million digits
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: too large to show


def recv_exactly(conn, size):
    """Wrong."""
    return 1 << 83_000_000
