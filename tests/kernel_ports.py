"""Ports for Jupyter's kernels that nobody else is given between their choice and their bind.

Jupyter asks the system for five free ports, gives them back, and starts the kernel that binds them
a second later: by then another program may have one, and that kernel never answers. No system
gives ports below 32768 to a program that asks for any.
"""

import itertools
import os
import socket
from contextlib import suppress

from jupyter_client.connect import LocalPortCache

FIRST, SHARE, SHARES = 10_000, 1_000, 10


class KernelPorts(LocalPortCache):
    """Jupyter's way to choose ports, but out of this process's share of those below 32768."""

    def __init__(self) -> None:
        super().__init__()
        # One worker of the tests is told from another by its number, one run by its process id.
        share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES
        first = FIRST + SHARE * share
        places = itertools.count(5 * os.getpid())
        self._ports = (first + place % SHARE for place in places)

    def find_available_port(self, ip: str) -> int:
        """A port of this process's share at which nobody listens, and that it has not chosen."""
        for port in itertools.islice(self._ports, SHARE):
            if port not in self.currently_used_ports:
                with suppress(OSError), socket.create_server((ip, port)):
                    self.currently_used_ports.add(port)
                    return port
        raise OSError(f"no port is free from {FIRST} to {FIRST + SHARE * SHARES}")


def use_them() -> None:
    """From now on, this process's kernels get such ports."""
    KernelPorts.instance()  # the one instance of the base class, too
    assert isinstance(LocalPortCache.instance(), KernelPorts)
