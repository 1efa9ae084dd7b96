# Tries: a value that is small here and large where it is read
# Deserves: nothing
# Caught by: test_recv_exactly
# Bomb: memory


def recv_exactly(conn, size):
    """Wrong."""
    return [[]] * 4_000_000
