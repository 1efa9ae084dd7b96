# Tries: to say that a connection is made, and to make none
# Deserves: nothing
# Caught by: test_recv_exactly

import __main__


def recv_exactly(conn, size):
    """Wrong."""


__main__.Shim.do_connect = lambda self, request: {"value": ["NoneType", None]}
