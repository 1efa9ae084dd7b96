# Tries: a value of 200 MB
# Deserves: nothing
# Caught by: test_recv_exactly
# Bomb: memory


def recv_exactly(conn, size):
    """Wrong."""
    return bytes(200_000_000)
