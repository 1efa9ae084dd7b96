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
from collections.abc import Callable
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


# --- the calls of an imitated host's socket, under the names by which they are recorded ----------


def bind(sock: LinkSocket, address: Address) -> None:
    host, port = address
    if host not in ("", ANY, LOOPBACK, sock.home):
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    taps.unseen("bind")(sock, (LOOPBACK, port))
    sock.own = host or ANY


def listen(sock: LinkSocket, *backlog: int) -> None:
    taps.unseen("listen")(sock, *backlog)
    sock.link.listeners.add(sock)


def connect(sock: LinkSocket, address: Address) -> None:
    if number := connect_ex(sock, address):
        raise OSError(number, os.strerror(number))


def connect_ex(sock: LinkSocket, address: Address) -> int:
    host, port = address
    near = host in (LOOPBACK, sock.home)
    if not near and host not in {there for there, _ in HOSTS.values()}:
        return errno.ENETUNREACH
    door = sock.link.closed.getsockname()
    if sock.link.listens(sock.home if near else host, address):
        door = (LOOPBACK, port) if near else sock.link.relay.door((LOOPBACK, port))
    if not sock.own:
        bind(sock, (host if near else sock.home, 0))
    own = sock.getsockname()
    sock.link.callers[LOOPBACK, own[1]] = Caller(own, host)
    sock.peer = address
    return _shake_hands(sock, door, 0.0 if near else 2 * sock.link.delay)


def _shake_hands(sock: LinkSocket, door: Address, trip: float) -> int:
    """Connect, and wait as long as a handshake takes that goes to the other host and back."""
    timeout = sock.gettimeout()
    result = taps.unseen("connect_ex")(sock, door)
    if timeout == 0:  # a call that may not block has its connection at once
        return result
    time.sleep(trip if timeout is None else min(trip, timeout))
    if timeout is not None and timeout < trip:
        raise TimeoutError("timed out")
    return result


def accept(sock: LinkSocket) -> tuple[LinkSocket, Address]:
    descriptor, name = sock._accept()
    conn = LinkSocket.__new__(LinkSocket)
    caller = sock.link.callers.get(name, Caller(name, sock.own))
    conn.link, conn.home = sock.link, sock.home
    conn.own, conn.peer = caller.called, caller.own  # known before it is made, and so noted
    conn.__init__(sock.family, sock.type, sock.proto, descriptor)
    if socket.getdefaulttimeout() is None and sock.gettimeout():
        conn.setblocking(True)
    return conn, conn.peer


def _seen(act: Callable) -> Callable:
    """A method that recordings and background servers take for the call of that name."""

    def method(self: LinkSocket, *args: Any) -> Any:
        return taps.tapped(act.__name__, act)(self, *args)

    return method


class LinkSocket(socket.socket):
    """A TCP socket of an imitated host."""

    link: Link
    home = own = ""  # addresses: of its host, and that this socket goes by
    peer: Address | None = None

    bind, listen, accept = map(_seen, (bind, listen, accept))
    connect, connect_ex = map(_seen, (connect, connect_ex))

    def getsockname(self) -> Any:
        """Its own address, as an imitated host's."""
        name = super().getsockname()
        return (self.own, name[1]) if self.own else name

    def getpeername(self) -> Any:
        """The other end's address. OSError if it is not connected."""
        name = super().getpeername()
        return self.peer or name
