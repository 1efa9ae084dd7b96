# Tries: to sleep for ever, instead of a server
# Deserves: nothing
# Caught by: test_listens
# Says: listens on no port

import time

time.sleep(10**8)
