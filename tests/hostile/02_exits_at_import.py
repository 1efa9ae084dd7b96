# Tries: os._exit(0) while the checks import it
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: ended before it could import it

import os

os._exit(0)
