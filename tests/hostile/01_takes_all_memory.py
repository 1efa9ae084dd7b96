# Tries: to take all memory, and then to listen to nobody
# Deserves: nothing
# Caught by: test_listens
# Bomb: memory

hoard = []
size = 1 << 28
while size:
    try:
        hoard.append(bytearray(b"x") * size)
    except MemoryError:
        size //= 2
raise SystemExit("no memory is left")
