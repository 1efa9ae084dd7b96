# Tries: to write while it ends, from a thread and in atexit
# Deserves: nothing
# Caught by: test_listens
# Says: exit code 3

import atexit
import os
import threading


def write():
    """Until nobody reads any more."""
    while True:
        os.write(2, b"I am still here\n" * 1000)


threading.Thread(target=write, daemon=True).start()
atexit.register(print, "last words\n" * 100_000)
raise SystemExit(3)
