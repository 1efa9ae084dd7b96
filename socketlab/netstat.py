"""The kernel's table of sockets as rows: from psutil, and from `netstat` where psutil is blind."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import psutil

Protocol = Literal["tcp", "udp", "unix"]
Address = tuple[str, int] | str  # host and port, or the path of a Unix socket
Holder = Literal["this process", "another process", "the kernel"]

RFC_9293 = {
    "LISTEN": "LISTEN",
    "SYN_SENT": "SYN-SENT",
    "SYN_RECV": "SYN-RECEIVED",
    "ESTABLISHED": "ESTABLISHED",
    "FIN_WAIT1": "FIN-WAIT-1",
    "FIN_WAIT2": "FIN-WAIT-2",
    "CLOSE_WAIT": "CLOSE-WAIT",
    "CLOSING": "CLOSING",
    "LAST_ACK": "LAST-ACK",
    "TIME_WAIT": "TIME-WAIT",
    "CLOSE": "CLOSED",
}
"""The states of TCP: as psutil, ss and netstat write them, and as RFC 9293 (3.3.2) does."""

NO_STATE = "-"  # of UDP and Unix sockets
KERNELS_OWN = {"SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK", "TIME_WAIT"}
SPELLINGS = {"SYN_RCVD": "SYN_RECV", "CLOSED": "CLOSE", "NONE": NO_STATE}  # of other systems


@dataclass(frozen=True, slots=True)
class SocketRow:
    """One socket as the kernel lists it.

    `state` is a key of `RFC_9293`, "-" for UDP and Unix sockets. `local` and `remote` are
    (host, port), or the path of a Unix socket; `remote` is None if there is none. `pid` is None
    where no process holds the socket or the system does not tell; so is `fd` -1.
    """

    protocol: Protocol
    state: str
    local: Address
    remote: Address | None
    holder: Holder = "another process"
    pid: int | None = None
    fd: int = -1

    @property
    def ends(self) -> tuple[tuple[str, int], ...]:
        """(host, port) of the local end and, if it is connected, of the remote end."""
        return tuple(end for end in (self.local, self.remote) if isinstance(end, tuple))

    @property
    def ports(self) -> tuple[int, ...]:
        """The port of the local end and, if it is connected, of the remote end."""
        return tuple(port for _, port in self.ends)

    @property
    def connection(self) -> frozenset[tuple[str, int]]:
        """The same for both ends of one connection."""
        return frozenset((plain_host(host), port) for host, port in self.ends)

    @property
    def ended(self) -> bool:
        """Whether it is only what the kernel keeps of a closed socket."""
        return self.holder == "the kernel" and self.state in KERNELS_OWN

    @property
    def identity(self) -> tuple[object, ...]:
        """What this row shares with a row for the same socket from another source."""
        if not self.ends:
            return self.protocol, self.local, self.pid, self.fd
        return self.protocol, *((plain_host(host), port) for host, port in self.ends)


def all_rows() -> list[SocketRow]:
    """Every socket of this machine that the system lets this process see, in no set order."""
    rows = own_rows()
    own = {row.identity for row in rows}
    rows += [row for row in _machine_rows() if row.identity not in own]
    accepting = {row.ports[0] for row in rows if row.state == "LISTEN" and row.pid}
    return [replace(row, holder=_holder(row, accepting)) for row in rows]


def own_rows() -> list[SocketRow]:
    """Every socket of this process."""
    return [_row(entry, os.getpid()) for entry in psutil.Process().net_connections("all")]


@lru_cache(maxsize=1024)  # asked several times for each row of a table of thousands
def plain_host(host: str) -> str:
    """One spelling for one address: no zone, IPv4 not dressed as IPv6; "" if it is a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _machine_rows() -> list[SocketRow]:
    rows = []
    with suppress(psutil.AccessDenied):  # macOS, except for root
        rows = [_row(entry, entry.pid) for entry in psutil.net_connections("all")]
    if sys.platform == "darwin":  # psutil asks each process there: nobody tells of TIME_WAIT
        known = {row.identity for row in rows}
        rows += [row for row in parse_netstat(_netstat()) if row.identity not in known]
    return rows


def _row(entry: Any, pid: int | None) -> SocketRow:
    """psutil's words for one socket in ours; Windows says pid 0 for nobody."""
    if entry.family not in (socket.AF_INET, socket.AF_INET6):
        return SocketRow("unix", NO_STATE, entry.laddr, entry.raddr or None, pid=pid, fd=entry.fd)
    protocol: Protocol = "tcp" if entry.type == socket.SOCK_STREAM else "udp"
    local, remote = (tuple(end) if end else None for end in (entry.laddr, entry.raddr))
    state = SPELLINGS.get(entry.status, entry.status)
    return SocketRow(protocol, state, local or ("", 0), remote, pid=pid or None, fd=entry.fd)


def _holder(row: SocketRow, accepting: set[int]) -> Holder:
    """Who holds a socket; `accepting` are the ports whose listener's process we can see.

    A connection to such a port that belongs to no process waits in the accept queue.
    """
    if row.pid:
        return "this process" if row.pid == os.getpid() else "another process"
    queued = row.protocol == "tcp" and row.remote and row.ports[0] in accepting
    return "the kernel" if queued or row.state in KERNELS_OWN else "another process"


def _netstat() -> str:
    """What `netstat` prints of TCP; -W keeps long IPv6 addresses whole."""
    words = ["netstat", "-anW", "-p", "tcp"]
    return subprocess.run(words, capture_output=True, text=True, timeout=10).stdout


def parse_netstat(text: str) -> list[SocketRow]:
    """The TCP sockets in what `netstat -an -p tcp` prints on macOS; it names no process.

    A line: `tcp4  0  0  127.0.0.1.65432  127.0.0.1.50123  TIME_WAIT` (netstat(1)).
    """
    lines = [line.split() for line in text.splitlines() if line.startswith("tcp")]
    return [_netstat_row(*words[3:6]) for words in lines if len(words) > 5]


def _netstat_row(local: str, remote: str, state: str) -> SocketRow:
    state = re.sub(r"^FIN_WAIT_", "FIN_WAIT", state)
    ends = _netstat_end(local), _netstat_end(remote)
    return SocketRow("tcp", SPELLINGS.get(state, state), ends[0] or ("*", 0), ends[1])


def _netstat_end(word: str) -> tuple[str, int] | None:
    """`127.0.0.1.65432`, `::1.65432` or `*.65432` as host and port; None for `*.*`."""
    host, _, port = word.rpartition(".")
    return (host, int(port)) if port.isdecimal() else None
