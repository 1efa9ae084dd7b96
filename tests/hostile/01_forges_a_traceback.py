# Tries: a traceback with a line number of 5,000 digits
# Deserves: nothing
# Caught by: test_listens
# Says: ended before it listened

import sys

sys.exit(f"""Traceback (most recent call last):
  File "{__file__}", line {"9" * 5000}, in <module>
    [Errno {"9" * 5000}]
OSError: [Errno {"9" * 5000}] there is no such line""")
