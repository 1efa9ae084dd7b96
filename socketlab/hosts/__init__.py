"""Two hosts and a cable between them, on this machine.

    with two_hosts(delay=0.02) as (left, right):
        listener = right.create_server((right.address, 0))
        sock = left.create_connection(listener.getsockname())

The hosts are network namespaces where the system allows them, else they are imitated. Their
sockets are sockets of this process, like any other. On leaving, hosts, cable and sockets are gone.
"""

from __future__ import annotations

import errno
import math
import os
import socket
import weakref
from collections.abc import Iterator
from importlib import import_module, resources
from typing import Any, Protocol

from socketlab.hosts.packets import Packet, Packets
from socketlab.hosts.places import HOSTS

__all__ = ["Host", "Hosts", "Packet", "Packets", "two_hosts"]

VARIABLE = "SOCKETLAB_HOSTS"
WAYS = {"namespaces": "Namespaces", "link": "Link"}
LONGEST = 10.0  # seconds of delay
EXAMPLE, EXAMPLE_DELAY = "echo.pcap", 0.02
NOTE = "Recorded on another machine, an echo of b'hello': this one does not show its packets."
_why: dict[str, str] = {}  # what the first look has found: why there are no namespaces


class Wire(Protocol):
    """What both kinds of hosts can do."""

    words: str

    def socket(self, host: str, kind: int) -> socket.socket: ...
    def drain(self) -> bytes | None: ...  # the capture, if there is one
    def stop(self) -> None: ...


class Host:
    """One of two hosts. Its methods are called like the functions of the module `socket`."""

    def __init__(
        self, name: str, wire: Wire, sockets: weakref.WeakSet, end: weakref.finalize
    ) -> None:
        self.name, self.address = name, HOSTS[name][0]
        self._wire, self._sockets, self._end = wire, sockets, end

    def socket(
        self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM
    ) -> socket.socket:
        """A new socket of this host, which has IPv4 only. OSError if the hosts are gone."""
        if family != socket.AF_INET:
            raise ValueError(f"family is {family!r}: these hosts have IPv4 only, AF_INET")
        if not self._end.alive:
            raise OSError(errno.ENETDOWN, "these hosts are closed: call two_hosts() for new ones")
        sock = self._wire.socket(self.name, type)
        self._sockets.add(sock)
        return sock

    def create_server(
        self, address: tuple[str, int], *, backlog: int | None = None
    ) -> socket.socket:
        """A TCP socket of this host, bound to `address` and listening."""
        listener = self.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen() if backlog is None else listener.listen(backlog)
        except BaseException:
            listener.close()
            raise
        return listener

    def create_connection(
        self, address: tuple[str, int], timeout: float | None = None
    ) -> socket.socket:
        """A TCP socket of this host, connected to `address`; `timeout` is for all of its calls."""
        sock = self.socket()
        try:
            sock.settimeout(timeout)
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock

    def __repr__(self) -> str:
        return f"<host {self.name}: {self.address}>"


class Hosts:
    """Two hosts, `left` and `right`, and the way between them; its repr says what they are.

    Made by `two_hosts()`. Use it in `with`, or call `close()`.
    """

    def __init__(self, wire: Wire, delay: float, why: str) -> None:
        self.delay, self.why = delay, why
        self._wire, self._packets = wire, None
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._end = weakref.finalize(self, wire.stop)
        self.left, self.right = (Host(name, wire, self._sockets, self._end) for name in HOSTS)

    @property
    def packets(self) -> Packets:
        """The TCP packets that went between the hosts, known once these are closed.

        Imitated hosts send none: then they are those of an echo on another machine, and say so.
        """
        if self._end.alive:
            raise RuntimeError("packets are still on their way: leave the `with` block first")
        if self._packets is None:
            self._packets = Packets(_example(), EXAMPLE_DELAY, NOTE)
        return self._packets

    def close(self) -> None:
        """Close every socket of the hosts, let the last packets arrive, and end the hosts."""
        try:
            if self._end.alive:
                for sock in list(self._sockets):
                    sock.close()
                if (capture := self._wire.drain()) is not None:
                    self._packets = Packets(capture, self.delay)
        finally:
            self._end()

    def __iter__(self) -> Iterator[Host]:
        return iter((self.left, self.right))

    def __enter__(self) -> Hosts:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        because = f" (because {self.why})" if self.why else ""
        return f"{self._wire.words}, {self.delay * 1000:g} ms each way{because}."


def two_hosts(delay: float = 0.02, *, way: str | None = None) -> Hosts:
    """Two hosts, each byte `delay` seconds on the way from one to the other.

    `way` is "namespaces" or "link" for imitated hosts; if it is not given, the environment's
    SOCKETLAB_HOSTS says, else what this system allows. ValueError if `delay` or `way` cannot be;
    OSError if "namespaces" are asked for and not to be had.
    """
    _check(delay)
    asked = _asked(way)
    if asked != "link" and not (_why and not asked):
        try:
            return Hosts(_wire("namespaces", delay), delay, "")
        except OSError as error:
            if asked:
                raise
            _why["namespaces"] = str(error)
    why = f"it was asked for by name, {asked!r}" if asked else _why["namespaces"]
    return Hosts(_wire("link", delay), delay, why)


def _example() -> bytes:
    """A capture of an echo, for hosts that have none of their own."""
    return resources.files("socketlab.hosts").joinpath(EXAMPLE).read_bytes()


def _wire(way: str, delay: float) -> Wire:
    return getattr(import_module(f"socketlab.hosts.{way}"), WAYS[way])(delay)


def _check(delay: Any) -> None:
    if isinstance(delay, bool) or not isinstance(delay, int | float):
        raise TypeError(f"delay is {delay!r}: give a number of seconds, such as 0.02")
    if not math.isfinite(delay) or not 0 <= delay <= LONGEST:
        raise ValueError(f"delay is {delay!r}: give seconds from 0 to {LONGEST:g}, such as 0.02")


def _asked(way: str | None) -> str:
    found = way or os.environ.get(VARIABLE, "")
    if found and found not in WAYS:
        where = "way" if way else f"the environment's {VARIABLE}"
        raise ValueError(f"{where} is {found!r}: use 'namespaces' or 'link', or leave it out")
    return found
