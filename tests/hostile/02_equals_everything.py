# Tries: an object that equals everything, and is a bytes for isinstance()
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: returned something else


class Equal(bytes):
    """Whatever is wanted."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = bytes.__hash__


def recv_exactly(conn, size):
    """Wrong."""
    return Equal()
