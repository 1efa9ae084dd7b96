# Tries: a loop without end, instead of a server
# Deserves: nothing
# Caught by: test_listens
# Says: busy all the time

while True:
    pass
