# Tries: SIGKILL to its parent and to every ancestor
# Deserves: nothing
# Caught by: test_listens
# Tiers: A B
# Needs: a uid of its own

import contextlib
import os
import signal


def parent_of(pid):
    """The parent, as the kernel tells it."""
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


pid = os.getppid()
while pid > 0:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    try:
        pid = parent_of(pid)
    except OSError:
        break
