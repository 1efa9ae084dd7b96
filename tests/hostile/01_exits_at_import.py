# Tries: os._exit(0) before anything else
# Deserves: nothing
# Caught by: test_listens
# Says: ended before it listened

import os

os._exit(0)
