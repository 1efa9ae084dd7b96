# Tries: a fork bomb
# Deserves: nothing
# Caught by: test_listens
# Bomb: processes

import contextlib
import os

while True:
    with contextlib.suppress(OSError):
        os.fork()
