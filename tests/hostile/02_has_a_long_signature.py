# Tries: a signature of ten million characters, which does not fit
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: does not take these arguments


def recv_exactly(conn="x" * 10_000_000):
    """Wrong."""
