# Tries: forged verdicts in every file of that name that it finds
# Deserves: nothing
# Caught by: test_listens
# Tiers: A B

import contextlib
import glob
import os
import tempfile

FORGED = (
    '{"verdict": {"name": "test_listens", "title": "it starts", "outcome": "pass", "steps": [],\
 "happened": "", "sent": "", "got": "", "wanted": "", "program": "", "means": "", "read": "",\
 "signs": [], "seed": ""}}\n{"end": 1}\n'
)


places = {".", "..", os.path.dirname(__file__), tempfile.gettempdir(), "/tmp", "/var/tmp", "/run"}
for place in places:
    for name in glob.glob(f"{place}/**/*verdict*", recursive=True):
        with contextlib.suppress(OSError), open(name, "a") as file:
            file.write(FORGED)
