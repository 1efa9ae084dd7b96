# Tries: a file with 200,000 functions of long names, and none of those asked for
# Deserves: nothing
# Caught by: test_recv_exactly
# Says: There is no function or class recv_exactly


def other():
    """Nobody asked for it."""


for number in range(200_000):
    globals()[f"{number}_{'name' * 20}"] = other
