# Tries: to open as many descriptors as it may, and serves with the last one
# Deserves: nothing
# Caught by: test_listens
# Says: Too many open files

import os

while True:
    os.open(os.devnull, os.O_RDONLY)
