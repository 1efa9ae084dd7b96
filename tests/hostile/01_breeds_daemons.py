# Tries: a daemon that is born anew whenever it may be about to be killed
# Deserves: nothing
# Caught by: test_listens
# Bomb: processes

import contextlib
import os
import time

if os.fork():
    time.sleep(0.5)
    os._exit(0)
os.setsid()
while True:
    with contextlib.suppress(OSError):
        if os.fork():
            os._exit(0)
        os.setsid()
