# Tries: folders that are deeper than a path can be long, and 20,000 files
# Deserves: nothing
# Caught by: test_listens
# Bomb: files

import contextlib
import os

with contextlib.suppress(OSError):
    os.mkdir("socketlab-hostile-many")
    os.chdir("socketlab-hostile-many")
    top = os.open(".", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deep")
        os.chdir("deep")
with contextlib.suppress(OSError):
    os.chdir(top)
    for number in range(20_000):
        open(str(number), "w").close()
