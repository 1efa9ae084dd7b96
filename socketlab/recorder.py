"""Record what the sockets of this process do, without changing a line of the code that does it.

with record() as recording, background(serve_forever) as server:
    ...
for span in recording: ...
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from socketlab import taps
from socketlab.background import settle
from socketlab.conversation import Span
from socketlab.lives import Known
from socketlab.pairing import Unfinished, read
from socketlab.taps import Event
from socketlab.words import describe


class Recording:
    """The socket calls of this process between `record()` and `stop()`, as spans in time order.

    Iterate over it, or take `spans`, when it has been stopped. Its repr is the conversation in
    words. A recording that is dropped without being stopped ends.
    """

    def __init__(self) -> None:
        self.spans: tuple[Span, ...] = ()
        self._events: list[Any] | None = []
        self._began = taps.clock()
        self._key = object()
        taps.listen(self._key, self._events.append)
        self._dropped = weakref.finalize(self, taps.forget, self._key)
        self._known = list(_open_sockets())
        self._threads = [(thread.ident or 0, thread.name) for thread in threading.enumerate()]

    def stop(self) -> Recording:
        """End the recording, when the background servers have finished what they were sent.

        Stopping twice does nothing.
        """
        if self._events is not None:
            settle()
            self._finish()
        return self

    def stop_with(self, others: Iterable[Event]) -> Recording:
        """End the recording, and add what other processes of this machine have told meanwhile:
        all of them have one clock."""
        self._finish(others)
        return self

    def _finish(self, others: Iterable[Event] = ()) -> None:
        self._dropped()
        events, self._events = self._events, None
        if events is not None:
            seen = [Event._make(event) for event in events]
            seen += unfinished({(event.thread, event.start) for event in seen}, taps.clock())
            seen += others
            self.spans = tuple(read(seen, self._known, self._threads, self._began))

    def __enter__(self) -> Recording:
        if self._events is None:
            raise RuntimeError("this recording is over: call record() for a new one")
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        taps.conceal(error)
        if error is None:
            self.stop()
        else:
            self._finish()

    def __iter__(self) -> Iterator[Span]:
        if self._events is not None:
            raise RuntimeError(
                "this recording still runs: leave its `with` block, or call its stop(), first"
            )
        return iter(self.spans)

    def __len__(self) -> int:
        return len(self.spans)

    def __repr__(self) -> str:
        return describe(self) if self._events is None else "a recording that is still running"


def record() -> Recording:
    """Start to record every socket call of this process; use it in `with`, or call `stop()`.

    Plain sockets, selectors and asyncio are seen, in every thread and in code that was imported
    before. Sockets that existed already are seen too, with what they do from now on.
    """
    return Recording()


def _open_sockets() -> Iterator[Known]:
    """Each socket of this process that is open already, in order of descriptor.

    Those by which event loops and the kit itself wake a thread are hidden.
    """
    kinds = _kinds(socket.socket) | _kinds(asyncio.BaseEventLoop)
    things = [thing for thing in gc.get_objects() if type(thing) in kinds]
    sockets = [each for each in things if isinstance(each, socket.socket) and each.fileno() >= 0]
    bells = {id(getattr(loop, bell, None)) for loop in things for bell in ("_ssock", "_csock")}
    hidden = bells | {id(sock) for sock in taps.private}
    for sock in sorted(sockets, key=socket.socket.fileno):
        own, peer = taps.names(sock)
        listens = _listens(sock, own, peer)
        yield Known(id(sock), sock.type, own, peer, sock.fileno(), listens, id(sock) in hidden)


def _kinds(kind: type) -> set[type]:
    """`kind` and every class made from it."""
    return {kind, *(each for child in kind.__subclasses__() for each in _kinds(child))}


def _listens(sock: socket.socket, own: Any, peer: Any) -> bool:
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:  # some systems do not tell
        return sock.type == socket.SOCK_STREAM and bool(own) and peer is None


def unfinished(noted: set[tuple[int, int]], now: int) -> Iterator[Event]:
    """An event for each call that some thread is still in. `noted` are (thread, start) of others:
    a thread may be on its way out of a call that has been noted already."""
    for thread, top in sys._current_frames().items():
        for frame in _upwards(top):
            seen = frame.f_locals if frame.f_code.co_filename == taps.__file__ else {}
            if "start" in seen and "me" in seen:
                call = seen.get("call", frame.f_code.co_name)
                key = 0 if call == "select" else id(seen["self"])
                if (thread, seen["start"]) not in noted:
                    args = (None, *seen.get("args", ()))
                    known = (*seen.get("asked", (0, ())), ()) if call == "select" else args
                    yield Event(call, key, seen["start"], now, thread, known, Unfinished())
                break


def _upwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame:
        yield frame
        frame = frame.f_back
