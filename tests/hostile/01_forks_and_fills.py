# Tries: a fork bomb whose processes take 64 MiB each
# Deserves: nothing
# Caught by: test_listens
# Bomb: processes and memory

import os

hoard = []
while True:
    try:
        hoard.append(b"x" * (1 << 26))
        os.fork()
    except (OSError, MemoryError):
        pass
