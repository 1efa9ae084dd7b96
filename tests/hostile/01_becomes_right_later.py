# Tries: to put a right program in its own place
# Deserves: nothing
# Caught by: test_listens
# Says: next time

import contextlib
import os

with contextlib.suppress(OSError):
    os.chmod(os.path.dirname(__file__) or ".", 0o777)
    os.chmod(__file__, 0o666)
with contextlib.suppress(OSError), open(__file__, "w") as file:
    file.write("import socketserver")
raise SystemExit("next time I shall be right")
