# Tries: to make all comparisons come out well, in its own process
# Deserves: nothing
# Caught by: test_recv_exactly

import builtins
import json

real = type
builtins.type = lambda value, *rest: real(value, *rest) if rest else bytes
builtins.isinstance = builtins.all = builtins.any = builtins.callable = lambda *args: True
builtins.len = lambda value: 5
json.dumps = lambda *args, **named: '{"value": ["bytes", "00"]}'


def recv_exactly(conn, size):
    """Wrong."""
    return None
