# Tries: SIGSTOP, then SIGKILL, to each process by its number, and to its group
# Deserves: nothing
# Caught by: test_listens
# Tiers: A B
# Needs: a uid of its own

import contextlib
import os
import signal

for number in (signal.SIGSTOP, signal.SIGKILL):
    for pid in (0, *range(1, 70_000)):
        if abs(pid) not in (os.getpid(), 0):
            with contextlib.suppress(OSError):
                os.kill(pid, number)
