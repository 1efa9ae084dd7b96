# Tries: line numbers of 5,000 digits where faulthandler should write them
# Deserves: nothing
# Caught by: test_listens
# Says: listens on no port

import signal
import sys
import threading
import time


def forge(*_):
    """In place of what faulthandler writes."""
    number = "9" * 5000
    sys.stderr.write("Current thread 0x0001 (most recent call first):\n")
    sys.stderr.write(f'  File "{__file__}", line {number} in x\n')
    sys.exit(1)


signal.signal(signal.SIGABRT, forge)
signal.signal(signal.SIGINT, forge)
threading.Thread(target=time.sleep, args=(10**6,), daemon=True).start()
while True:
    time.sleep(10**6)
