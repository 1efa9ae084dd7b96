"""A thread that carries bytes between sockets of this machine, each byte some time later."""

from __future__ import annotations

import _socket  # sockets that no recording sees
import contextlib
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from select import select
from typing import Any

CHUNK = 65536
MOST = 16 * CHUNK  # bytes that are on the way in one direction; a reader that is slow stops them
RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)  # for SO_LINGER

Address = tuple[str, int]


@dataclass(eq=False)
class Flow:
    """One direction of a connection: what came in at `source` and is to go out at `target`."""

    source: Any
    target: Any
    leads_to: Address = ("", 0)  # what the target will be connected to, and when
    opens: float = 0.0
    due: deque[tuple[float, bytes | None]] = field(default_factory=deque)  # None: a reset
    ended: bool = False  # nothing more comes in
    over: bool = False  # and everything has gone out

    def takes(self) -> bool:
        """Whether there is room for more."""
        return not self.ended and sum(len(data or b"") for _, data in self.due) < MOST

    def take(self, time: float) -> None:
        """Receive what there is, to be delivered at `time`. No bytes are the end."""
        try:
            data = self.source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = None
        self.ended = not data
        self.due.append((max(time, self.opens), data))

    def give(self) -> None:
        """Send what is first in the line; OSError if the target takes no more."""
        time, data = self.due[0]
        if data:
            data = data[self.target.send(data) :]
        elif data is None:
            raise ConnectionResetError
        else:
            self.target.shutdown(_socket.SHUT_WR)
            self.over = True
        self.due.popleft()
        if data:
            self.due.appendleft((time, data))


class Relay:
    """Doors to connect to, each of which leads to an address, `delay` seconds away."""

    def __init__(self, delay: float, introduce: Callable[[Any, Address, Address], None]) -> None:
        self.delay, self.introduce = delay, introduce
        self.doors: dict[Any, Address] = {}  # listener: where it leads
        self.opening: deque[Flow] = deque()  # whose callers are on the way
        self.flows: list[Flow] = []
        self.ending = False
        self.bell = _listener(_socket.SOCK_DGRAM)
        self.thread = threading.Thread(target=self.run, name="delaying link", daemon=True)
        self.thread.start()

    def door(self, target: Address) -> Address:
        """The address that leads to `target`."""
        for door, leads_to in list(self.doors.items()):
            if leads_to == target:
                return door.getsockname()
        door = _listener(_socket.SOCK_STREAM)
        door.listen(128)
        self.doors[door] = target
        self.ring()
        return door.getsockname()

    def ring(self) -> None:
        """Wake the thread."""
        with contextlib.closing(_socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)) as sock:
            sock.sendto(b"", self.bell.getsockname())

    def stop(self) -> None:
        """End the thread and close all of its sockets."""
        self.ending = True
        with contextlib.suppress(OSError):  # its sockets are closed already
            self.ring()
        self.thread.join()

    # --- in the thread ---------------------------------------------------------------------------

    def run(self) -> None:
        """Carry bytes until stop() is called."""
        try:
            while not self.ending:
                self.turn()
        finally:
            ends = [sock for flow in self.flows for sock in (flow.source, flow.target)]
            for sock in (*self.doors, *ends, self.bell):
                sock.close()

    def turn(self) -> None:
        """Wait for something to do, and do it."""
        now = time.monotonic()
        self.open_due(now)
        times = {flow: flow.due[0][0] for flow in self.flows if flow.due}
        sources = {flow.source: flow for flow in self.flows if flow.takes()}
        targets = {flow.target: flow for flow, due in times.items() if due <= now}
        waits = [due - now for due in times.values() if due > now]
        waits += [flow.opens - now for flow in self.opening]
        readers = [self.bell, *list(self.doors), *sources]
        timeout = min(waits) if waits else None
        readable, writable, failed = select(readers, [*targets], [*targets], timeout)
        for sock in readable:
            if sock in sources:
                sources[sock].take(time.monotonic() + self.delay)
            elif sock is self.bell:
                sock.recv(1)
            else:
                self.admit(sock)
        for sock in {*writable, *failed}:
            self.deliver(targets[sock])
        self.sweep()

    def admit(self, door: Any) -> None:
        """Somebody came to a door: listen to what they say from now on."""
        caller, callee = _socket_of(door._accept()[0]), _socket_of(None)
        # Its SYN, the answer, and the ACK that makes accept() return.
        flow = Flow(caller, callee, self.doors[door], time.monotonic() + 3 * self.delay)
        self.flows.append(flow)
        self.opening.append(flow)

    def open_due(self, now: float) -> None:
        """Let the callers whose handshake is over by now connect to what they came for."""
        while self.opening and self.opening[0].opens <= now:
            flow = self.opening.popleft()
            if flow.source.fileno() >= 0:  # not gone already
                flow.target.bind(("127.0.0.1", 0))
                self.flows.append(Flow(flow.target, flow.source))
                with contextlib.suppress(OSError):
                    self.introduce(flow.source.getpeername(), flow.target.getsockname())
                flow.target.connect_ex(flow.leads_to)

    def deliver(self, flow: Flow) -> None:
        try:
            flow.give()
        except BlockingIOError:
            pass
        except OSError:
            self.reset(flow)

    def reset(self, flow: Flow) -> None:
        """End a connection in both directions, at once and with a reset."""
        for sock in (flow.source, flow.target):
            with contextlib.suppress(OSError):
                sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, RESET)
            sock.close()
        self.flows = [each for each in self.flows if each.source.fileno() >= 0]

    def sweep(self) -> None:
        """Close the connections that have ended in both directions."""
        over = {flow.source for flow in self.flows if flow.over}
        for flow in self.flows:
            if flow.over and flow.target in over:
                flow.source.close()
        self.flows = [flow for flow in self.flows if flow.source.fileno() >= 0]


def _socket_of(descriptor: int | None) -> Any:
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, descriptor)
    sock.setblocking(False)
    return sock


def _listener(kind: int) -> Any:
    sock = _socket.socket(_socket.AF_INET, kind)
    sock.bind(("127.0.0.1", 0))
    return sock
