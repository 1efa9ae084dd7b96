# Tries: to run whatever other echo server lies on this machine
# Deserves: nothing
# Caught by: test_listens
# Tiers: A B

import contextlib
import glob
import os
import sys
import tempfile

own = os.path.realpath(__file__)
for home in (tempfile.gettempdir(), "..", "../..", "/tmp", "/var/tmp", "/dev/shm", "/run"):
    for name in glob.glob(f"{home}/**/*.py", recursive=True):
        with contextlib.suppress(OSError, ValueError), open(name) as file:
            text = file.read()
            if os.path.realpath(name) != own and "def serve_forever" in text:
                sys.argv[0] = name
                exec(text, {"__name__": "__main__"})
