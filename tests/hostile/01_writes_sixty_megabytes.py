# Tries: 60 MB of output with NULs and without a line end
# Deserves: nothing
# Caught by: test_listens
# Says: exit code 1
# Bomb: output

import sys

for _ in range(60):
    sys.stdout.buffer.write(b"\0\xff\x1b[2J" * 166_667)
sys.exit("60 MB are written")
