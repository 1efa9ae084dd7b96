# Tries: 20,000 files, and folders that are deeper than a path can be long
# Deserves: nothing
# Caught by: test_listens
# Bomb: files

import contextlib
import os

with contextlib.suppress(OSError):
    os.makedirs("socketlab-hostile-many")
    os.chdir("socketlab-hostile-many")
    for number in range(20_000):
        open(str(number), "w").close()
with contextlib.suppress(OSError):
    for _ in range(3000):
        os.mkdir("deep")
        os.chdir("deep")
