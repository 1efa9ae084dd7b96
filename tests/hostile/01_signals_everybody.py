# Tries: SIGKILL and SIGSTOP to everybody that it may signal
# Deserves: nothing
# Caught by: test_listens
# Tiers: A B
# Needs: a uid of its own

import os
import signal

if os.getuid() == 0 and os.getpid() > 1000:
    raise SystemExit("not as the root of a machine")
os.kill(-1, signal.SIGSTOP)
os.kill(-1, signal.SIGKILL)
