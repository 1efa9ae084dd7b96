"""Run a server function in a thread beside the notebook, and end it for certain.

    with background(serve_forever) as server:
        sock = socket.create_connection(server.address)

The thread, and every thread that it starts, belongs to the server. On leaving, threads that still
have something to read are let finish; then each is ended at its next socket call, wherever it
waits. What they left open is closed and what they raised is raised in the reader's cell.
"""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import ctypes
import errno
import inspect
import os
import socket
import sys
import tempfile
import threading
import time
import traceback
import weakref
from collections import Counter
from collections.abc import Callable
from concurrent.futures import thread as pool
from types import FrameType
from typing import Any

from socketlab import taps

SETTLE = 2.0  # seconds that a server may take to finish what its clients have sent
PATIENCE = 0.5  # seconds from the polite signal to the impolite ones
TIMEOUT = 5.0  # seconds until a server that ignores them all is reported
DEAF = 1000  # signals ignored by one thread before it is parked


class ServerStopped(SystemExit):
    """Raised in a server's own threads, at a socket call, when it shall stop.

    It is a SystemExit: `except Exception` lets it pass, a thread ends by it in silence, and an
    asyncio loop ends by it instead of logging it.
    """


class ServerStillRunning(RuntimeError):
    """A server function did not end, whatever was tried; the message says where it is."""


class _Crew:
    """The threads and sockets of one running server. It knows nothing of the handle that users
    hold, so that a handle which is dropped can be collected, and stops its server."""

    def __init__(
        self,
        function: Callable,
        listener: socket.socket,
        name: str,
        place: tuple[str, int, int] | None = None,
        cleanups: list[Callable] | None = None,
    ) -> None:
        self.name = name
        self.function = function
        self.place = place
        self.cleanups = cleanups or []
        self.listener = listener
        self.stopping = False
        self.errors: list[BaseException] = []
        self.waiting: dict[int, taps.Waiting] = {}
        self.threads: list[threading.Thread] = []
        self.sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self.kept: list[socket.socket] = []
        self.told: Counter[int] = Counter()
        self.signal, self.wake_socket = socket.socketpair()
        self.wake = self.wake_socket.fileno()
        taps.private.update((self.signal, self.wake_socket))
        taps.guard(self)
        _live.add(self)
        run = self.run_async if inspect.iscoroutinefunction(function) else function
        main = threading.Thread(target=run, args=(listener,), name=name)
        self.enlist(main)
        main.start()

    # what the taps ask for

    def check(self) -> None:
        if not self.stopping:
            return
        self.told[threading.get_ident()] += 1
        if self.told[threading.get_ident()] > DEAF:
            threading.Event().wait()  # it catches every signal: at least it shall not spin
        raise ServerStopped

    def adopt(self, sock: socket.socket) -> None:
        self.sockets.add(sock)

    # threads

    def enlist(self, thread: threading.Thread) -> None:
        """Make `thread`, not yet started, one of the server's."""
        run, thread.daemon = thread.run, True  # never keeps the interpreter from leaving

        def run_as_crew() -> None:
            taps.servers[threading.get_ident()] = self
            try:
                run()
            except BaseException as error:  # its traceback still holds the frames' sockets
                self.kept += self.sockets
                if not self.expected(error):
                    self.fail(error)
            finally:
                del taps.servers[threading.get_ident()]

        thread.run = run_as_crew  # type: ignore[method-assign]
        self.threads.append(thread)

    def expected(self, error: BaseException) -> bool:
        """Whether `error` is only how a server ends that was told to."""
        ways = (ServerStopped, asyncio.CancelledError, OSError)
        return self.stopping and isinstance(error, ways)

    def run_async(self, listener: socket.socket) -> None:
        """Run a coroutine function as a program would."""

        async def main() -> None:
            self.loops.add(asyncio.get_running_loop())
            await self.function(listener)

        asyncio.run(main())

    def fail(self, error: BaseException) -> None:
        """Keep what a thread raised, and close what it held, so that no client waits for it."""
        if isinstance(error, SystemExit):
            error = RuntimeError(f"{self.name}() called exit({error.code!r})").with_traceback(
                error.__traceback__
            )
        taps.conceal(error)
        trace = error.__traceback__
        while trace and trace.tb_next and trace.tb_frame.f_code.co_filename in _MACHINERY:
            trace = trace.tb_next
        self.errors.append(error.with_traceback(trace))
        for frame, _ in traceback.walk_tb(trace):
            for sock in frame.f_locals.values():
                if isinstance(sock, socket.socket) and sock in self.sockets:
                    sock.close()
        if threading.current_thread() is self.threads[0]:
            self.listener.close()

    # stopping

    def alive(self) -> list[threading.Thread]:
        return [thread for thread in self.threads if thread.is_alive()]

    def settle(self) -> None:
        """Wait, up to SETTLE seconds, until every thread is done or waits for somebody else."""
        deadline = time.monotonic() + SETTLE
        while not all(map(self.idle, self.alive())) and time.monotonic() < deadline:
            time.sleep(0.001)

    def idle(self, thread: threading.Thread) -> bool:
        """Whether `thread` can go on only if somebody outside does something."""
        if waiting := self.waiting.get(thread.ident or 0):
            pairs, timeout = waiting
            return (timeout is None or timeout >= 0.5) and not taps.ready(pairs, 0)
        frame = sys._current_frames().get(thread.ident or 0)
        return frame is None or frame.f_code is pool._worker.__code__  # a pool's, without work

    def stop(self) -> None:
        """End every thread, close every socket. ServerStillRunning if a thread cannot be ended."""
        now = taps.clock()
        for thread in self.alive():
            taps.note(taps.Event("stop", 0, now, now, thread.ident or 0, None))
        try:
            if self.loops:
                self.stop_loops()
            self.stopping = True
            self.signal.close()  # wakes every thread that waits, now or later
            if not self.join(PATIENCE):
                self.insist()
        finally:
            self.close()
        if stubborn := self.alive():
            raise ServerStillRunning(self.report(stubborn[0]))

    def stop_loops(self) -> None:
        """End asyncio code in its own way: its clients leave, then its tasks are cancelled."""
        for sock in tuple(self.sockets):
            with contextlib.suppress(OSError):
                if sock.getsockname() == self.listener.getsockname():
                    taps.unseen("shutdown")(sock, socket.SHUT_RD)
        for loop in self.loops:
            with contextlib.suppress(RuntimeError):  # that one has ended by itself
                asyncio.run_coroutine_threadsafe(self.cancel_tasks(loop), loop)
        self.join(PATIENCE)

    async def cancel_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(20):  # turns of the loop in which tasks notice that their clients left
            await asyncio.sleep(0)
        self.stopping = True
        for task in asyncio.all_tasks(loop) - {asyncio.current_task()}:
            task.cancel()

    def join(self, seconds: float) -> bool:
        """Whether every thread ended within `seconds`; threads started meanwhile count too."""
        deadline = time.monotonic() + seconds
        while (alive := self.alive()) and (left := deadline - time.monotonic()) > 0:
            alive[0].join(left)
        return not self.alive()

    def insist(self) -> None:
        """Wake raw calls by closing the conversation, and raise in code that makes no calls."""
        deadline = time.monotonic() + TIMEOUT - PATIENCE
        for sock in [*self.sockets, self.listener]:
            _rouse(sock)
        while not self.join(0.05) and time.monotonic() < deadline:
            for thread in self.alive():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(ServerStopped)
                )

    def report(self, thread: threading.Thread) -> str:
        frame = sys._current_frames().get(thread.ident or 0)
        stack = traceback.extract_stack(frame) if frame else []
        lines = [line for line in stack if line.filename not in _MACHINERY]
        place = (
            f" It is in {lines[-1].name}(), line {lines[-1].lineno}: {lines[-1].line}"
            if lines
            else ""
        )
        return (
            f"{self.name}() is still running: it ignored every signal to stop for {TIMEOUT:g} s."
            f"{place}\nIts sockets are closed. Look for a long sleep, or for an `except:` that "
            "catches everything inside an endless loop. Restart the kernel to be rid of it."
        )

    def close(self) -> None:
        """Close what the server left open and forget it."""
        for sock in [*self.sockets, self.listener, self.signal, self.wake_socket]:
            taps.unseen("close")(sock)
        for cleanup in self.cleanups:
            cleanup()
        taps.forget(self)
        _live.discard(self)


def _rouse(sock: socket.socket) -> None:
    """Wake calls that block on `sock` outside the taps, as far as the platform lets us."""
    with contextlib.suppress(OSError):
        taps.unseen("shutdown")(sock, socket.SHUT_RDWR)
    with (
        contextlib.suppress(OSError),
        contextlib.closing(_socket.socket(sock.family, sock.type)) as v,
    ):
        v.settimeout(1)
        v.connect(_reachable(sock))
        if sock.type == socket.SOCK_DGRAM:
            v.send(b"")


_live: set[_Crew] = set()
_MACHINERY = {
    __file__,
    taps.__file__,
    threading.__file__,
    asyncio.runners.__file__,
    asyncio.base_events.__file__,
}


class Background:
    """A server that runs in the background: `address` is what its clients connect to.

    Made by `background()`. Use it in `with`, or call `stop()` when its last cell is done. A cell
    that starts one and is run again first stops the one it started before.
    """

    def __init__(self, crew: _Crew) -> None:
        self._crew = crew
        self.name = crew.name
        self.listener = crew.listener
        self.address = _reachable(crew.listener)
        self._finalizer = weakref.finalize(self, crew.stop)

    @property
    def running(self) -> bool:
        """Whether a thread of the server still runs."""
        return bool(self._crew.alive())

    @property
    def error(self) -> BaseException | None:
        """What the server raised so far, None if nothing. `stop()` raises it."""
        return self._crew.errors[0] if self._crew.errors else None

    def stop(self) -> None:
        """End the server: threads, sockets, port. Raises what the server itself raised.

        The server first finishes what its clients have sent, for 2 seconds at most.
        ServerStillRunning, with the line it is at, if it ignores every signal for 5 seconds more.
        Stopping twice does nothing.
        """
        __tracebackhide__ = True
        self._stop(settle=True)

    def _stop(self, settle: bool) -> None:
        __tracebackhide__ = True
        if not self._finalizer.alive:
            return
        try:
            if settle:
                self._crew.settle()
        finally:
            self._finalizer()
        if self._crew.errors:
            raise self._crew.errors[0]

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        __tracebackhide__ = True
        taps.conceal(error)
        self._stop(settle=error is None)

    def __repr__(self) -> str:
        state = "running" if self.running else "failed" if self.error else "stopped"
        return f"<server {self.name}: {state}>"


def background(
    server: Callable[[socket.socket], Any],
    listener: socket.socket | None = None,
    *,
    host: str | None = None,
    port: int = 0,
    family: socket.AddressFamily | int | None = None,
    type: socket.SocketKind | int = socket.SOCK_STREAM,
    backlog: int | None = None,
    name: str | None = None,
) -> Background:
    """Run `server(listener)` in a thread of its own, now, and return the handle of it.

    The listener is yours if you pass one. Otherwise one is made: on 127.0.0.1 and a free port, or on
    `host` and `port`; with `family` AF_INET6 on ::1, with AF_UNIX on a path in a temporary folder;
    with `type` SOCK_DGRAM bound for UDP. `server` may be a coroutine function: it runs under
    asyncio. TypeError if `server` cannot take a listener, OSError if the address cannot be used.
    """
    _check_function(server)
    name = name or getattr(server, "__name__", None) or server.__class__.__name__
    _stop_earlier_run(place := _cell(sys._getframe(1)))
    cleanups: list[Callable] = []
    if listener is None:
        family = family or (socket.AF_INET6 if ":" in (host or "") else socket.AF_INET)
        listener = _listen(family, type, host, port, backlog, cleanups)
    elif not isinstance(listener, socket.socket):
        raise TypeError(
            f"the listener must be a socket, not {listener!r}; give host= and port= by name"
        )
    elif listener.fileno() < 0:
        raise ValueError(
            "this listener is closed: make a new one in the cell that starts the server"
        )
    return Background(_Crew(server, listener, name, place, cleanups))


def settle() -> None:
    """Wait until every background server has finished what its clients have sent so far."""
    for crew in tuple(_live):
        crew.settle()


def _check_function(server: Any) -> None:
    if inspect.iscoroutine(server):
        server.close()
    if not callable(server):
        raise TypeError(
            f"background() takes the server function itself, not {server!r}: "
            "write background(serve_forever), without calling it"
        )
    try:
        inspect.signature(server).bind(None)
    except TypeError:
        raise TypeError(
            f"{getattr(server, '__name__', server)!s} must take one argument, the listener: "
            "def serve_forever(listener): ..."
        ) from None
    except ValueError:
        pass  # a builtin that does not tell its signature


def _listen(family, type, host, port, backlog, cleanups) -> socket.socket:  # noqa: A002
    """A listening (or, for UDP, bound) socket on a free port of this machine."""
    if family == getattr(socket, "AF_UNIX", None):
        folder = tempfile.TemporaryDirectory(prefix="socketlab-")
        cleanups.append(folder.cleanup)
        address: Any = os.path.join(folder.name, "socket")
    elif family in (socket.AF_INET, socket.AF_INET6):
        address = (host or ("::1" if family == socket.AF_INET6 else "127.0.0.1"), port)
    else:
        raise ValueError(
            f"family {family!r} is not one that this kit can serve: use AF_INET, AF_INET6 or AF_UNIX"
        )
    try:
        if type == socket.SOCK_STREAM and isinstance(address, tuple):
            return socket.create_server(address, family=family, backlog=backlog)
        sock = socket.socket(family, type)
    except OSError as error:
        raise _explained(error, address) from None
    try:
        sock.bind(address)
        if type != socket.SOCK_DGRAM:
            sock.listen() if backlog is None else sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise _explained(error, address) from None
    return sock


def _explained(error: OSError, address: Any) -> OSError:
    """The same error, with a sentence that says what to do."""
    advice = {
        errno.EADDRINUSE: "another program, or a server of an earlier cell, holds this port: "
        "stop it, or let background() choose a free port by giving none",
        errno.EADDRNOTAVAIL: "this machine has no such address: use 127.0.0.1 or ::1",
        errno.EACCES: "ports below 1024 need permission: use a higher one, or none",
    }.get(error.errno or 0, "check host, port and family")
    return OSError(error.errno, f"cannot listen on {address}: {error.strerror} ({advice})")


def _reachable(listener: socket.socket) -> Any:
    """The address that a client on this machine connects to."""
    name = listener.getsockname()
    if listener.family == socket.AF_INET:
        return ("127.0.0.1" if name[0] == "0.0.0.0" else name[0], name[1])
    if listener.family == socket.AF_INET6:
        return ("::1" if name[0] == "::" else name[0], name[1])
    return name


# --- a cell that is run again -------------------------------------------------------------------


def _cell(frame: FrameType) -> tuple[str, int, int] | None:
    """(cell, line, execution count) of the notebook cell that calls, None outside notebooks."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or frame.f_globals is not shell.user_ns:
        return None
    return frame.f_code.co_filename, frame.f_lineno, shell.execution_count


def _stop_earlier_run(place: tuple[str, int, int] | None) -> None:
    """Stop servers that the same line of the same cell started when it was run before."""
    for crew in tuple(_live):
        if place and crew.place and crew.place[:2] == place[:2] and crew.place[2] < place[2]:
            crew.stop()
