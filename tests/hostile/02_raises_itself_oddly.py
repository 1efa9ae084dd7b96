# Tries: an exception whose words cannot be had
# Deserves: nothing
# Caught by: test_recv_exactly


class Odd(Exception):
    """Its words are an error, and so are the words of that."""

    def __str__(self):
        raise self


def recv_exactly(conn, size):
    """Wrong."""
    raise Odd
