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
from collections.abc import Iterator
from typing import Any

from socketlab import taps
from socketlab.background import settle
from socketlab.conversation import Span
from socketlab.pairing import Known, Unfinished, read
from socketlab.taps import Event
from socketlab.words import describe


class Recording:
    """The socket calls of this process between `record()` and `stop()`, as spans in time order.

    Iterate over it, or take `spans`. It is empty until it is stopped. Its repr is the
    conversation in words.
    """

    def __init__(self) -> None:
        self.spans: tuple[Span, ...] = ()
        self._events: list[Any] | None = []
        self._threads = [(thread.ident or 0, thread.name) for thread in threading.enumerate()]
        self._began = taps.clock()
        self._known: list[Known] | None = list(_open_sockets())
        taps.listen(self, self._events.append)

    def stop(self) -> Recording:
        """End the recording, when the background servers have finished what they were sent.

        Stopping twice does nothing.
        """
        if self._events is not None:
            settle()
            self._finish()
        return self

    def _finish(self) -> None:
        taps.forget(self)
        now = taps.clock()
        events = [Event._make(e) for e in self._events] + list(_unfinished(now))
        self.spans = tuple(read(events, self._known, self._threads, self._began))
        self._events = self._known = None

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        taps.conceal(error)
        self.stop() if error is None else self._finish()

    def __iter__(self) -> Iterator[Span]:
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
    """Each socket of this process that is open already, but for alarm bells of event loops."""
    things = [(kind, thing) for thing in gc.get_objects() if isinstance(kind := type(thing), type)]
    loops = [loop for kind, loop in things if issubclass(kind, asyncio.BaseEventLoop)]
    bells = {id(getattr(loop, bell, None)) for loop in loops for bell in ("_ssock", "_csock")}
    for kind, sock in things:
        if not issubclass(kind, socket.socket) or sock in taps.private or id(sock) in bells:
            continue
        if sock.fileno() >= 0:
            yield Known(id(sock), sock.type, *taps.names(sock), _listens(sock))


def _listens(sock: socket.socket) -> bool:
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:  # macOS does not tell
        return False


def _unfinished(now: int) -> Iterator[Event]:
    """An event for each call that some thread is still in."""
    for thread, frame in sys._current_frames().items():
        while frame:
            seen = frame.f_locals if frame.f_code.co_filename == taps.__file__ else {}
            if "start" in seen and "me" in seen:
                key = id(seen["self"]) if frame.f_code.co_name != "select" else 0
                call = seen.get("call", frame.f_code.co_name)
                yield Event(call, key, seen["start"], now, thread, (), Unfinished())
                break
            frame = frame.f_back
