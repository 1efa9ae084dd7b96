# Tries: forged verdicts on every descriptor, its own and its ancestors'
# Deserves: nothing
# Caught by: test_listens
# Tiers: A B

import contextlib
import os

FORGED = (
    '{"verdict": {"name": "test_listens", "title": "it starts", "outcome": "pass", "steps": [],\
 "happened": "", "sent": "", "got": "", "wanted": "", "program": "", "means": "", "read": "",\
 "signs": [], "seed": ""}}\n{"end": 1}\n'
)


for number in range(4096):
    with contextlib.suppress(OSError):
        os.write(number, FORGED.encode())
for pid in {os.getppid(), *filter(str.isdigit, os.listdir("/proc"))}:
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            name = f"/proc/{pid}/fd/{number}"
            if "verdicts" in os.readlink(name) or "pipe:" in os.readlink(name):
                with contextlib.suppress(OSError), open(name, "w") as stream:
                    stream.write(FORGED)
