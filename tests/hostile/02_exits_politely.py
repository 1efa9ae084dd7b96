# Tries: sys.exit(0) at import
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: import it

import sys

sys.exit(0)
