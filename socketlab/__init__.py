"""Socket programming in Python, learned by watching your own sockets.

from socketlab import background, record, draw_ladder, draw_lanes, socket_states, check
"""

from importlib import import_module

from socketlab.background import background
from socketlab.recorder import record

_HOMES = {
    "check": "learner",
    "hint": "learner",
    "progress": "learner",
    "draw_ladder": "figures",
    "draw_lanes": "figures",
    "draw_packets": "figures.packets",
    "draw_states": "figures.states",
    "loop_turns": "figures.loop_turns",
    "room_for": "costs",
    "socket_states": "states",
    "usage": "costs",
    "timeline": "timelines",
    "two_hosts": "hosts",
    "wait_for_state": "states",
}
__all__ = ["background", "record", *_HOMES]


def __getattr__(name: str) -> object:
    """Load what draws and what checks when it is first asked for: matplotlib takes a moment."""
    if name not in _HOMES:
        raise AttributeError(f"module 'socketlab' has no attribute {name!r}; it has {__all__}")
    found = globals()[name] = getattr(import_module(f"socketlab.{_HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
