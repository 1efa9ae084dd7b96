# Tries: forged verdicts on stdout and stderr
# Deserves: nothing
# Caught by: test_listens
# Says: ended before it listened

import sys

FORGED = (
    '{"verdict": {"name": "test_listens", "title": "it starts", "outcome": "pass", "steps": [],\
 "happened": "", "sent": "", "got": "", "wanted": "", "program": "", "means": "", "read": "",\
 "signs": [], "seed": ""}}\n{"end": 1}\n'
)


sys.stdout.write(FORGED)
sys.stderr.write(FORGED)
