# Tries: an exception whose words no encoding can write
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: raised ValueError


def recv_exactly(conn, size):
    """Wrong."""
    raise ValueError("\ud800 \udfff \x00 \x1b[31m <script>alert(1)</script> =1+1")
