"""What was seen of this machine's sockets before, to tell a reader's own from everybody else's."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil

from socketlab.netstat import SocketRow, all_rows


class Memory:
    """What earlier looks at the machine have taught.

    Which ports and connections a table has shown, in order of first sight, where somebody
    listens, and which connections are strangers'.
    """

    def __init__(self) -> None:
        self.ports: dict[int, None] = {}
        self.listening: set[int] = set()
        self.shown: set[frozenset[tuple[str, int]]] = set()
        self.strangers: set[frozenset[tuple[str, int]]] = set()

    def without_strangers(self, rows: list[SocketRow]) -> list[SocketRow]:
        """Learn from all rows of the machine; all but strangers' rows for this process's ports.

        A new socket may well get a port that TIME_WAIT still has (bind() with SO_REUSEADDR,
        connect() to another address): the table would then differ from run to run.
        """
        self._forget_all_but(rows)
        self.listening |= {row.ports[0] for row in rows if row.state == "LISTEN"}
        ours = self.ports.keys() | {row.ports[0] for row in rows if _is_ours(row)}
        others = {row.connection for row in rows if row.remote and ours.isdisjoint(row.ports)}
        self.strangers |= others - self.shown
        return [row for row in rows if ours.isdisjoint(row.ports) or not self._strange(row)]

    def _forget_all_but(self, rows: list[SocketRow]) -> None:
        there = {port for row in rows for port in row.ports}
        self.ports = {port: None for port in self.ports if port in there}
        self.listening &= there
        connections = {row.connection for row in rows}
        self.shown &= connections
        self.strangers &= connections

    def _strange(self, row: SocketRow) -> bool:
        return row.ended and row.connection in self.strangers

    def is_known(self, row: SocketRow) -> bool:
        """Whether a table has shown the row's connection, or a server's port that it has."""
        ports = self.ports.keys() & self.listening
        return row.connection in self.shown or not ports.isdisjoint(row.ports)

    def keep(self, rows: Iterable[SocketRow]) -> None:
        """Remember what a table has shown."""
        rows = list(rows)
        self.ports |= {port: None for row in rows for port in row.ports[:1]}
        self.shown |= {row.connection for row in rows}
        self.strangers -= self.shown


def _is_ours(row: SocketRow) -> bool:
    return row.holder == "this process" and bool(row.ports)


class Before:
    """The sockets that this process had when this module was loaded."""

    def __init__(self, rows: list[SocketRow]) -> None:
        mine = [row for row in rows if row.holder == "this process"]
        self.sockets = {row.identity for row in mine}
        self.listening = {row.ports[0] for row in mine if row.state == "LISTEN"}
        self.paths = {row.local for row in mine if isinstance(row.local, str)}

    def has(self, row: SocketRow) -> bool:
        """Whether the row is one of them, or of a connection with one of them."""
        connected = not self.listening.isdisjoint(row.ports) or row.local in self.paths
        return connected or row.identity in self.sockets


def _rows_at_start() -> list[SocketRow]:
    with suppress(psutil.Error, OSError):  # no /proc, say: then socket_states() will say so
        return all_rows()
    return []


_at_start = _rows_at_start()
memory = Memory()
memory.strangers |= {row.connection for row in _at_start if row.remote and row.ended}
before = Before(memory.without_strangers(_at_start))
