# Tries: SIGSTOP to itself
# Deserves: nothing
# Caught by: test_listens
# Says: listens on no port

import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
