# Tries: to leave a core dump
# Deserves: nothing
# Caught by: test_listens
# Says: SIGABRT

import os

os.abort()
