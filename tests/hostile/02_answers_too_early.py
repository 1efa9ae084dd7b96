# Tries: to answer what has not been asked yet, on the connection of the checks
# Deserves: nothing
# Caught by: test_recv_exactly

import contextlib
import gc
import sys

early = b'{"value": ["bytes", "68656c6c6f"]}\n'
for frame in [sys._getframe(depth) for depth in range(2)] + gc.get_objects():
    if type(frame).__module__ in ("_socket", "socket") and hasattr(frame, "sendall"):
        with contextlib.suppress(OSError):
            frame.sendall(early * 100)


def recv_exactly(conn, size):
    """Wrong."""
