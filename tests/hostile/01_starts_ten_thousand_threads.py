# Tries: to start 10,000 threads
# Deserves: nothing
# Caught by: test_listens
# Bomb: threads

import contextlib
import threading
import time

threading.stack_size(65536)
with contextlib.suppress(RuntimeError, MemoryError):
    for _ in range(10_000):
        threading.Thread(target=time.sleep, args=(10**6,)).start()
time.sleep(10**6)
