# Tries: nothing: it is only wrong
# Deserves: nothing
# Caught by: test_listens
# Says: ZeroDivisionError

1 / 0  # noqa: B018
