# Tries: answers that are JSON and make no sense
# Deserves: nothing
# Caught by: test_recv_exactly


import __main__


def recv_exactly(conn, size):
    """Wrong."""


odd = {"bases": [], "words": 5, "line": [], "function": {}, "code": 7}
__main__.Shim.do_call = lambda self, request: {"error": odd}
