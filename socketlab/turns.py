"""Who was served beside whom, told so that nothing depends on which thread was faster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from socketlab.conversation import Connection


class Present:
    """The connections that are open when one more is accepted; ask in order of accept.

    One has gone if either end closed it before the new client began to connect, or if the very
    thread that accepts had closed it before. What another thread closes meanwhile is a matter of
    who was faster, and does not count.
    """

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.last_gone = (0.0, "")  # (when, name)
        self._closed: list[tuple[float, str]] = []  # heaps: when an end was closed
        self._closed_by: dict[str, list[tuple[float, str]]] = defaultdict(list)  # server's threads

    def add(self, connection: Connection) -> None:
        """Take in `connection`; those that have gone by now are left out from now on."""
        accept = next(span for span in connection.server if span.call == "accept")
        self._drop(self._closed, connection.opened)
        self._drop(self._closed_by[accept.thread], accept.end)
        for span in (*connection.client, *connection.server):
            if span.call == "close":
                heappush(self._closed, (span.end, connection.name))
                if span.side == "server":
                    heappush(self._closed_by[span.thread], (span.end, connection.name))
        self.names[connection.name] = None

    def _drop(self, heap: list[tuple[float, str]], until: float) -> None:
        while heap and heap[0][0] < until:
            gone = heappop(heap)
            if gone[1] in self.names:
                del self.names[gone[1]]
                self.last_gone = max(self.last_gone, gone)


def arrivals(connections: Iterable[Connection]) -> Iterator[tuple[Connection, Present]]:
    """Each accepted connection, in order of accept, and who is there then, itself included."""
    present = Present()
    found = [(c.accepted, i, c) for i, c in enumerate(connections) if c.accepted is not None]
    for _, _, connection in sorted(found, key=lambda item: item[:2]):
        present.add(connection)
        yield connection, present
