# Tries: a list and a dict that hold themselves
# Deserves: nothing
# Caught by: test_recv_exactly
# Bomb: memory

ring = []
ring += [ring, {"ring": ring}, ring]


def recv_exactly(conn, size):
    """Wrong."""
    return ring
