"""What the checks of a lab are written in: `pytest -p socketlab.harness --program FILE`.

from socketlab.harness import Client, Failed, lab_check
"""

from importlib import import_module

pytest_plugins = ("socketlab.harness.plugin",)

_HOMES = {
    "burn": "counts",
    "can_listen": "ports",
    "Client": "client",
    "difference": "scene",
    "ended": "listener",
    "Failed": "scene",
    "finished": "listener",
    "free_port": "ports",
    "Functions": "functions",
    "Held": "functions",
    "HOST": "plugin",
    "lab_check": "plugin",
    "Listener": "listener",
    "Other": "functions",
    "Program": "program",
    "Raised": "functions",
    "receive": "visitors",
    "runs": "program",
    "show": "scene",
    "somebody_listens": "ports",
    "Start": "plugin",
    "Talker": "talker",
    "Thing": "functions",
    "visit": "visitors",
    "Watched": "counts",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    """Load what checks use when it is first asked for: who only reads verdicts needs no pytest."""
    if name not in _HOMES:
        raise AttributeError(f"module 'socketlab.harness' has no attribute {name!r}")
    home = import_module(f"socketlab.harness.{_HOMES[name]}")
    found = globals()[name] = getattr(home, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
