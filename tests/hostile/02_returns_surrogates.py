# Tries: text that no encoding can write
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: returned something else


def recv_exactly(conn, size):
    """Wrong."""
    return "\ud800 \udfff \x00 \x1b[31m"
