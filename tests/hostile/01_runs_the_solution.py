# Tries: to find the reference solution and run it
# Deserves: nothing
# Caught by: test_listens
# Tiers: A B

import glob
import os
import sys


def words():
    """The command lines of all processes: the checks' tells where their files are."""
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(name, "rb") as file:
                yield from file.read().decode(errors="replace").replace("=", "\0").split("\0")
        except OSError:
            pass


def folders():
    """Where the project may be."""
    for start in (*words(), *sys.path, sys.executable, __file__, os.getcwd(), os.__file__):
        while start.startswith("/") and start != "/":
            start = os.path.dirname(start)
            yield start


for folder in dict.fromkeys(folders()):
    for name in glob.glob(f"{folder}/solutions/01_*.py"):
        try:
            with open(name) as file:
                exec(file.read(), {"__name__": "__main__"})
        except OSError:
            pass
