"""What the checks of a lab are written in: `pytest -p socketlab.harness --program FILE`."""

from socketlab.harness.client import Client
from socketlab.harness.counts import Watched, burn
from socketlab.harness.functions import Functions, Held, Other, Raised, Thing
from socketlab.harness.listener import Listener, finished
from socketlab.harness.plugin import HOST, Start, lab_check
from socketlab.harness.ports import can_listen, free_port, somebody_listens
from socketlab.harness.program import Program, runs
from socketlab.harness.scene import Failed, difference, show
from socketlab.harness.talker import Talker

pytest_plugins = ("socketlab.harness.plugin",)

__all__ = [
    "HOST",
    "Client",
    "Failed",
    "Functions",
    "Held",
    "Listener",
    "Other",
    "Program",
    "Raised",
    "Start",
    "Talker",
    "Thing",
    "Watched",
    "burn",
    "can_listen",
    "difference",
    "finished",
    "free_port",
    "lab_check",
    "runs",
    "show",
    "somebody_listens",
]
