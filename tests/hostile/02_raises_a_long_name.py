# Tries: an exception with a name of ten million letters
# Deserves: nothing
# Caught by: test_recv_exactly

kind = type("E" * 10_000_000, (Exception,), {})


def recv_exactly(conn, size):
    """Wrong."""
    raise kind("gone")
