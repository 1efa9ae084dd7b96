"""What the kernel says of this process's sockets, as a table that is the same from run to run."""

from __future__ import annotations

import math
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from string import ascii_uppercase
from typing import Any, NamedTuple

from socketlab.netstat import RFC_9293, Address, SocketRow, all_rows, plain_host
from socketlab.sightings import before, memory
from socketlab.words import aligned

__all__ = ["RFC_9293", "SocketRow", "SocketStates", "socket_states", "wait_for_state"]

HEADER = ("state", "local address", "remote address", "held by")
EVERY_HOST = {"", "0.0.0.0", "::"}  # once spelled by plain_host
WELL_KNOWN = 1024  # lower ports are the services' own (RFC 6335): the same in each run, so shown
PASSING = {"SYN_SENT", "SYN_RECV", "FIN_WAIT1", "CLOSING", "LAST_ACK"}  # until the next packet
LOOK = 0.005  # seconds from one look at the table to the next: the kernel announces no change


@dataclass(frozen=True, slots=True, repr=False)
class SocketStates:
    """A table of sockets. Its repr is the same from run to run: roles stand for port numbers.

    `rows` has the numbers: listening sockets first, then each connection, client end first.
    `roles` names the ports: "server" where somebody listens, "client A" for one connected to such
    a port, else "port A".
    """

    rows: tuple[SocketRow, ...] = ()
    roles: dict[int, str] = field(default_factory=dict)
    shows_ports: bool = False

    def __repr__(self) -> str:
        if not self.rows:
            return "no sockets"
        return aligned([HEADER, *map(self._words, self.rows)])

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[SocketRow]:
        return iter(self.rows)

    def with_ports(self) -> SocketStates:
        """The same table with port numbers and whole paths in its repr: new in every run."""
        return replace(self, shows_ports=True)

    def role(self, row: SocketRow) -> str:
        """What the row's own end is: "server", "client A", "port A"; "" if it has no name."""
        return self.roles.get(row.ports[0], "") if row.ports else ""

    def _words(self, row: SocketRow) -> tuple[str, ...]:
        return row.state, self._spell(row.local), self._spell(row.remote), row.holder

    def _spell(self, address: Address | None) -> str:
        if not address:
            return "-"
        if isinstance(address, str):
            folder, name = os.path.split(address)
            return f".../{name}" if folder and not self.shows_ports else address
        host, port = address
        name = str(port) if self.shows_ports else self.roles.get(port, str(port))
        return f"[{host}]:{name}" if ":" in host else f"{host}:{name}"


def socket_states(*of: object) -> SocketStates:
    """The kernel's table of sockets: those of this process, or those that `of` asks for.

    Each of `of` is a port number, an address (host, port), the path of a Unix socket, a socket,
    or anything that has such an `.address`. The table then has every socket of this machine with
    that address at either end, whoever holds it. A wildcard address or a name means any host. For
    a client's connected socket, it has that one connection.

    Without `of`, the table has the sockets of this process, with what the kernel keeps of their
    connections (also of those that an earlier table has shown). Left out are sockets as old as
    this module, such as a Jupyter kernel's, their connections, and Unix sockets without a path.

    Also left out is what the kernel keeps of strangers' connections: those that had ended, unseen,
    before this process took the same port or loaded this module.

    TypeError for anything else, ValueError for a port or a socket that names no address.
    """
    asked = [_asked(thing) for thing in of]
    rows = memory.without_strangers(all_rows())
    chosen = [row for row in rows if _answers(row, asked)] if of else _own(rows)
    roles = _roles(chosen, asked)
    table = SocketStates(_in_order(chosen, roles), roles)
    memory.keep(table.rows)
    return table


def wait_for_state(of: object, *states: str, timeout: float = 5.0) -> SocketStates:
    """`socket_states(of)` as soon as it has a socket in each of `states`: "TIME_WAIT", say.

    A state named twice needs two sockets. `of` may also be a list of such things, or None for the
    sockets of this process. States that pass by themselves, such as FIN_WAIT1, are waited out
    unless they are asked for. `timeout` is in seconds; TimeoutError, with the last table, if a
    state is still missing then. ValueError for a state that TCP does not have, and for none.
    """
    wanted = Counter(_state(state) for state in states or [""])
    deadline = time.monotonic() + _seconds(timeout)
    things = of if isinstance(of, list) else [] if of is None else [of]
    while True:
        table = socket_states(*things)
        found = Counter(row.state for row in table)
        missing, late = wanted - found, time.monotonic() >= deadline
        if not missing and (late or wanted.keys() >= PASSING & found.keys()):
            return table
        if late:
            missed = " and ".join(sorted(missing.elements()))
            raise TimeoutError(f"no socket was {missed} within {timeout:g} s; seen last:\n{table}")
        time.sleep(LOOK)


# What is asked for


class _Asked(NamedTuple):
    """An address to look for; `port` is None for the path of a Unix socket, `peer` the other end's
    port if it was a connected socket that asked."""

    host: str
    port: int | None
    is_socket: bool = False
    peer: int | None = None


def _asked(thing: Any) -> _Asked:
    if hasattr(thing, "getsockname"):
        return _asked(_own_address(thing))._replace(is_socket=True, peer=_peer_port(thing))
    match getattr(thing, "address", thing):
        case (str(host), int(port), *_) if not isinstance(port, bool):
            return _Asked(plain_host(host), _port(port))
        case int(port) if not isinstance(port, bool):
            return _Asked("", _port(port))
        case str(path) if not (re.fullmatch(r"(.*:)?\d*", path) or plain_host(path)):
            return _Asked(path, None)
        case bytes(name) if name:  # Linux: a name in the abstract namespace, unix(7)
            return _Asked(os.fsdecode(name).replace("\0", "@", 1), None)
    raise TypeError(
        f"{thing!r} is not a port number, an address ('127.0.0.1', 65432), "
        "the path of a Unix socket, a socket, or a thing with an .address"
    )


def _port(port: int) -> int:
    if not 0 < port < 65536:
        raise ValueError(f"a port is a number from 1 to 65535, not {port}")
    return port


def _own_address(sock: Any) -> Any:
    """The socket's own address; ValueError if it has none."""
    if sock.fileno() < 0:
        raise ValueError("this socket is closed: ask for its address or port, kept from before")
    with suppress(OSError):  # Windows, before bind()
        address = sock.getsockname()
        if address and address[1:2] != (0,):
            return address
    raise ValueError("this socket has no address yet: call bind() or connect() first")


def _peer_port(sock: Any) -> int | None:
    with suppress(OSError, IndexError, ValueError):  # not connected; a Unix socket
        return int(sock.getpeername()[1])
    return None


def _state(state: str) -> str:
    """The state as the table writes it; RFC 9293's spelling does as well."""
    for ours, rfc in RFC_9293.items():
        if state in (ours, rfc):
            return ours
    raise ValueError(f"TCP has no state {state!r}; it has {', '.join(RFC_9293)}")


def _seconds(timeout: float) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout is a number of seconds, not {timeout!r}")
    if not (timeout >= 0 and math.isfinite(timeout)):
        raise ValueError(f"timeout is a number of seconds from 0 up, not {timeout!r}")
    return timeout


# Which rows


def _answers(row: SocketRow, asked: Iterable[_Asked]) -> bool:
    """Whether the row has one of the addresses at either end."""
    return any(
        row.local == each.host
        if each.port is None
        else any(_same(end, each.host, each.port) for end in row.ends) and _between(row, each)
        for each in asked
    )


def _same(end: tuple[str, int], host: str, port: int) -> bool:
    hosts = {host, plain_host(end[0])}
    return end[1] == port and (len(hosts) == 1 or not hosts.isdisjoint(EVERY_HOST))


def _between(row: SocketRow, asked: _Asked) -> bool:
    """For a client's socket: a row of its connection, not of another one from the same port."""
    is_client = asked.peer is not None and asked.port not in memory.listening
    return not is_client or row.ports in ((asked.port, asked.peer), (asked.peer, asked.port))


def _own(rows: list[SocketRow]) -> list[SocketRow]:
    """This process's rows, and the kernel's for its listeners and for what was shown before."""
    rows = [row for row in rows if not before.has(row) and (row.ports or row.local)]
    mine = [row for row in rows if row.holder == "this process"]
    listening = {row.ports[0] for row in mine if row.state == "LISTEN"}
    return mine + [
        row
        for row in rows
        if row.holder == "the kernel"
        and (memory.is_known(row) or not listening.isdisjoint(row.ports))
    ]


# Roles and order


def _roles(rows: list[SocketRow], asked: list[_Asked]) -> dict[int, str]:
    """A name for each port, in the order: asked for, seen before, process and descriptor."""
    there = {port for row in rows for port in row.ports}
    by_age = sorted(rows, key=lambda row: (row.fd < 0, row.pid or 0, row.fd, row.ports))
    wanted = [each.port for each in asked if each.port]
    shown = {port for row in rows if row.connection in memory.shown for port in row.ports}
    before = [port for port in memory.ports if port in shown]  # not another socket's, used again
    order = [*wanted, *before, *(port for row in by_age for port in row.ports)]
    ports = [port for port in dict.fromkeys(order) if port in there]
    servers = _servers(there, asked)
    clients = {port for row in rows if not servers.isdisjoint(row.ports) for port in row.ports}
    return {
        **_numbered([port for port in ports if port in servers]),
        **_lettered("client", [port for port in ports if port in clients - servers]),
        **_lettered("port", [port for port in ports if port not in clients | servers]),
    }


def _servers(ports: set[int], asked: list[_Asked]) -> set[int]:
    """Which ports are servers': where somebody listens or did, else those asked for by number."""
    listening = ports & memory.listening
    by_number = {each.port for each in asked if each.port and not each.is_socket}
    return (listening or ports & by_number) | {port for port in ports if port < WELL_KNOWN}


def _numbered(ports: list[int]) -> dict[int, str]:
    named = [port for port in ports if port >= WELL_KNOWN]
    if len(named) == 1:
        return {named[0]: "server"}
    return {port: f"server {number}" for number, port in enumerate(named, start=1)}


def _lettered(name: str, ports: list[int]) -> dict[int, str]:
    return {port: f"{name} {_letters(number)}" for number, port in enumerate(ports)}


def _letters(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    rest, last = divmod(number, 26)
    return (_letters(rest - 1) if rest else "") + ascii_uppercase[last]


def _in_order(rows: list[SocketRow], roles: dict[int, str]) -> tuple[SocketRow, ...]:
    """Listening sockets, then connections in order of their letters, client end first."""
    rank = {port: number for number, port in enumerate(roles)}

    def place(row: SocketRow) -> tuple[object, ...]:
        own, *_ = ranks = [rank.get(port, -1) for port in row.ports] or [-1]
        client = max(ranks)  # servers' ports come first
        kind = ("tcp", "udp", "unix").index(row.protocol)
        return kind, row.state != "LISTEN", client, own != client, str(row.local), str(row.remote)

    return tuple(sorted(rows, key=place))
