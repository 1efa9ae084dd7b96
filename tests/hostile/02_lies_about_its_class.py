# Tries: an object whose class, name and reduction are lies
# Deserves: nothing
# Caught by: test_recv_exactly

import os


class Liar(type):
    """Its classes say what they like about themselves."""

    __name__ = property(lambda cls: {"not": "a name"})
    __module__ = property(lambda cls: 1 / 0)

    def __instancecheck__(cls, instance):
        return True

    def __eq__(cls, other):
        return True

    __hash__ = type.__hash__


class Lie(metaclass=Liar):
    """Its instances are bytes, if one asks them."""

    __class__ = bytes

    def __getattribute__(self, name):
        raise SystemExit(0)

    def __reduce__(self):
        return os.system, ("touch socketlab-hostile-reduced",)


def recv_exactly(conn, size):
    """Wrong."""
    return Lie()
