"""Two hosts imitated on this one, by a link that holds each byte back.

Each imitated host has addresses of its own. Its sockets are real ones on 127.0.0.1, which say and
take the imitated addresses: who asks for an address that the other host has is connected through
the relay, who asks for one where nobody listens is refused by the kernel.
"""

from __future__ import annotations

import _socket
import errno
import os
import socket
import time
from typing import Any, NamedTuple
from weakref import WeakSet

from socketlab import taps
from socketlab.hosts.places import HOSTS
from socketlab.hosts.relay import Address, Relay

LOOPBACK, ANY = "127.0.0.1", "0.0.0.0"


class Caller(NamedTuple):
    """Who has connected, as the one who accepts shall see it."""

    own: Address  # the caller's
    called: str  # the host that it asked for


class Link:
    """Two imitated hosts and the relay between them."""

    words = "Two hosts imitated on this one: a link between them holds each byte back"

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.callers: dict[Address, Caller] = {}  # by the address from which they really come
        self.listeners: WeakSet[LinkSocket] = WeakSet()
        self.relay = Relay(delay, self.introduce)
        self.closed = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self.closed.bind((LOOPBACK, 0))  # and never listens: here calls are refused

    def socket(self, host: str, kind: int) -> LinkSocket:
        """A new socket of `host`. OSError for any type but SOCK_STREAM."""
        if kind != socket.SOCK_STREAM:
            raise OSError(errno.EPROTONOSUPPORT, "an imitated host has sockets for TCP only")
        sock = LinkSocket(socket.AF_INET, kind)
        sock.link, sock.home = self, HOSTS[host][0]
        return sock

    def introduce(self, caller: Address, relayed: Address) -> None:
        """Who comes from `relayed` is in truth the one who comes from `caller`."""
        self.callers[relayed] = self.callers[caller]

    def drain(self) -> None:
        """There are no frames to wait for, and none to show."""

    def stop(self) -> None:
        """End the relay."""
        self.closed.close()
        self.relay.stop()

    def listens(self, home: str, address: Address) -> bool:
        """Whether a socket of the host with the address `home` is open for calls to `address`."""
        host, port = address
        return any(
            sock.home == home and sock.getsockname() in ((host, port), (ANY, port))
            for sock in self.listeners
            if sock.fileno() >= 0
        )


class LinkSocket(socket.socket):
    """A TCP socket of an imitated host."""

    link: Link | None = None
    home = own = ""  # addresses: of its host, and that this socket goes by
    peer: Address | None = None

    def bind(self, address: Address) -> None:
        return taps.tapped("bind", LinkSocket._bind)(self, address)

    def listen(self, *backlog: int) -> None:
        return taps.tapped("listen", LinkSocket._listen)(self, *backlog)

    def connect(self, address: Address) -> None:
        return taps.tapped("connect", LinkSocket._connect)(self, address)

    def connect_ex(self, address: Address) -> int:
        return taps.tapped("connect_ex", LinkSocket._connect_ex)(self, address)

    def accept(self) -> tuple[LinkSocket, Address]:
        return taps.tapped("accept", LinkSocket._accept_call)(self)

    def getsockname(self) -> Any:
        name = super().getsockname()
        return (self.own, name[1]) if self.own else name

    def getpeername(self) -> Any:
        name = super().getpeername()
        return self.peer or name

    # what the recorder sees as the call itself

    def _bind(self, address: Address) -> None:
        host, port = address
        if host not in ("", ANY, LOOPBACK, self.home):
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        taps.unseen("bind")(self, (LOOPBACK, port))
        self.own = host or ANY

    def _listen(self, *backlog: int) -> None:
        taps.unseen("listen")(self, *backlog)
        self.link.listeners.add(self)

    def _connect(self, address: Address) -> None:
        if number := self._connect_ex(address):
            raise OSError(number, os.strerror(number))

    def _connect_ex(self, address: Address) -> int:
        host, port = address
        near = host in (LOOPBACK, self.home)
        if not near and host not in {address for address, _ in HOSTS.values()}:
            return errno.ENETUNREACH
        open_there = self.link.listens(self.home if near else host, address)
        door = (LOOPBACK, port) if near else self.link.relay.door((LOOPBACK, port))
        if not self.own:
            self._bind((host if near else self.home, 0))
        own = super().getsockname()
        self.link.callers[own] = Caller(self.getsockname(), host)
        self.peer = address
        return self._call(door if open_there else self.link.closed.getsockname(), near)

    def _call(self, door: Address, near: bool) -> int:
        """Connect, and wait as long as a handshake takes that goes to the other host and back."""
        timeout, trip = self.gettimeout(), 0 if near else 2 * self.link.delay
        result = taps.unseen("connect_ex")(self, door)
        if timeout != 0:  # a call that may not block has its connection at once
            time.sleep(trip if timeout is None else min(trip, timeout))
            if timeout is not None and timeout < trip:
                raise TimeoutError("timed out")
        return result

    def _accept_call(self) -> tuple[LinkSocket, Address]:
        descriptor, name = self._accept()
        conn = LinkSocket.__new__(LinkSocket)
        conn.link, conn.home = self.link, self.home
        caller = self.link.callers.get(name, Caller(name, self.own))
        conn.own, conn.peer = caller.called, caller.own
        conn.__init__(self.family, self.type, self.proto, descriptor)
        if socket.getdefaulttimeout() is None and self.gettimeout():
            conn.setblocking(True)
        return conn, conn.peer
