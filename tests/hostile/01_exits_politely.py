# Tries: sys.exit(0) in place of a server
# Deserves: nothing
# Caught by: test_listens
# Says: exit code 0

import sys

sys.exit(0)
