"""Socket programming in Python, learned by watching your own sockets."""

from socketlab.background import background
from socketlab.recorder import record

__all__ = ["background", "record"]
