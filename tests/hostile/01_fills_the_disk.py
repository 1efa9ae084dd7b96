# Tries: to fill every folder that it can write to, with 600 MB at most
# Deserves: nothing
# Caught by: test_listens
# Bomb: disk
# Tiers: A B

import contextlib
import os
import tempfile

left = 600  # MB: harmless where nothing stops it
for folder in (".", tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", "/run", os.sep):
    with contextlib.suppress(OSError):
        name = os.path.join(folder, f"socketlab-hostile-{os.getpid()}")
        with open(name, "wb", buffering=0) as file:
            while left and file.write(bytes(1_000_000)):
                left -= 1
