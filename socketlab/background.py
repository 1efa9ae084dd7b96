"""Run a server function in a thread beside the notebook, and end it for certain.

    with background(serve_forever) as server:
        sock = socket.create_connection(server.address)

The thread, and every thread that it starts, belongs to the server. On leaving, threads that still
have something to read are let finish; then each is ended at its next socket call, wherever it
waits. What they left open is closed and what they raised is raised in the reader's cell.
"""

from __future__ import annotations

import errno
import functools
import inspect
import os
import socket
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from typing import Any

from socketlab import crew as crews
from socketlab import guards, taps
from socketlab.crew import Crew, ServerStillRunning, ServerStopped, settle

__all__ = ["Background", "ServerStillRunning", "ServerStopped", "background", "settle"]


class Background:
    """A server that runs in the background: `address` is what its clients connect to.

    Made by `background()`. Use it in `with`, or call `stop()` when its last cell is done. A cell
    that starts one and is run again first stops the one it started before.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.name = crew.name
        self.listener = crew.listener
        self.address = crew.address
        self._finalizer = weakref.finalize(self, crew.stop)
        self._finalizer.atexit = False  # that is too late: see crew.stop_all

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
        Stopping twice does nothing. RuntimeError if the server function itself calls it.
        """
        __tracebackhide__ = True
        self._stop(first=settle)

    def _stop(self, first: Callable[[], None]) -> None:
        __tracebackhide__ = True
        if threading.current_thread() in self._crew.threads:
            raise RuntimeError(
                f"{self.name}() cannot stop itself: let the function return instead"
            )
        if not self._finalizer.alive:
            return
        try:
            first()
        finally:
            self._finalizer()
        if errors := self._crew.errors:
            for other in errors[1:]:
                errors[0].add_note(f"Another thread of {self.name}() raised {other!r}")
            raise errors[0]

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        __tracebackhide__ = True
        taps.conceal(error)
        self._stop(first=settle if error is None else lambda: None)

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

    A listener that you pass is closed at the end like one that is made for you: on 127.0.0.1 and a
    free port, or on `host` and `port`; with `family` AF_INET6 on ::1, with AF_UNIX on a path in a
    temporary folder; with `type` SOCK_DGRAM bound for UDP. `server` may be a coroutine function:
    it runs under asyncio. TypeError or ValueError if something here cannot be used, and says what
    can; OSError if the address cannot.
    """
    _check_function(server)
    _check_address(listener, host, port, family, type, backlog)
    _stop_earlier_run(cell := _cell())
    cleanups: list[Callable] = []
    with guards.unowned():
        listener = listener or _listen(family, type, host, port, backlog, cleanups)
        crew = Crew(server, listener, name or _name_of(server), cell, cleanups)
        try:
            crew.start()
            return Background(crew)
        except BaseException:
            crew.stop()
            raise


# --- what was given -----------------------------------------------------------------------------


def _name_of(server: Any) -> str:
    while isinstance(server, functools.partial):
        server = server.func
    return getattr(server, "__name__", server.__class__.__name__)


def _check_function(server: Any) -> None:
    if inspect.iscoroutine(server):
        server.close()
    if not callable(server):
        raise TypeError(
            f"background() takes the server function itself, not {server!r}: "
            "write background(serve_forever), without calling it"
        )
    if inspect.isgeneratorfunction(server) or inspect.isasyncgenfunction(server):
        raise TypeError(
            f"{_name_of(server)} is a generator, for it contains `yield`: calling it would run "
            "nothing. Give a function that serves by itself"
        )
    try:
        inspect.signature(server).bind(None)
    except TypeError:
        raise TypeError(
            f"{_name_of(server)} must take one argument, the listener: "
            "def serve_forever(listener): ..."
        ) from None
    except ValueError:
        pass  # a builtin that does not tell its signature


def _check_address(listener, host, port, family, type, backlog) -> None:
    if listener is not None:
        _check_listener(listener, any((host, port, family, backlog)))
    elif family not in (None, socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_UNIX", None)):
        raise ValueError(f"family is {family!r}: use socket.AF_INET, AF_INET6 or AF_UNIX")
    elif type not in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        raise ValueError(f"type is {type!r}: use socket.SOCK_STREAM or socket.SOCK_DGRAM")
    elif not isinstance(host, str | None):
        raise TypeError(f"host is {host!r}: use a string such as '127.0.0.1'")
    elif not isinstance(port, int) or not 0 <= port <= 65535:
        raise ValueError(f"port is {port!r}: use a whole number up to 65535, or 0 for a free port")
    elif not isinstance(backlog, int | None):
        raise TypeError(f"backlog is {backlog!r}: use a whole number of connections, or None")
    elif (host or port) and family not in (None, socket.AF_INET, socket.AF_INET6):
        raise ValueError("an AF_UNIX server has a path, not a host and a port: give neither")


def _check_listener(listener: Any, address: bool) -> None:
    if not isinstance(listener, socket.socket):
        raise TypeError(
            f"the listener must be a socket, not {listener!r}; give host= and port= by name"
        )
    if address:
        raise ValueError("give a listener, or an address to make one on, but not both")
    if listener.fileno() < 0:
        raise ValueError(
            "this listener is closed: make a new one in the cell that starts the server"
        )
    inet = listener.family in (socket.AF_INET, socket.AF_INET6)
    if inet and listener.getsockname()[1] == 0:
        raise ValueError("this listener has no address yet: call its bind() and listen() first")


# --- listeners ----------------------------------------------------------------------------------


def _listen(family, type, host, port, backlog, cleanups) -> socket.socket:
    """A listening (or, for UDP, bound) socket on a free port of this machine."""
    family = family or (socket.AF_INET6 if ":" in (host or "") else socket.AF_INET)
    if family in (socket.AF_INET, socket.AF_INET6):
        local = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        address: Any = (local if host is None else host, port)
    else:
        folder = tempfile.TemporaryDirectory(prefix="socketlab-")
        cleanups.append(folder.cleanup)
        address = os.path.join(folder.name, "socket")
    try:
        return _bound(family, type, address, backlog)
    except OSError as error:
        raise _explained(error, address) from None


def _bound(family, type, address, backlog) -> socket.socket:
    sock = socket.socket(family, type)
    try:
        if type == socket.SOCK_STREAM and family != getattr(socket, "AF_UNIX", None):
            if os.name == "posix":  # elsewhere it would let two servers share the port
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        if type == socket.SOCK_STREAM:
            sock.listen() if backlog is None else sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


ADVICE = {
    errno.EADDRINUSE: "another program, or a server of an earlier cell, holds this port: "
    "stop it, or let background() choose a free port by giving none",
    errno.EADDRNOTAVAIL: "this machine has no such address: use 127.0.0.1 or ::1",
    errno.EACCES: "ports below 1024 need permission: use a higher one, or none",
}


def _explained(error: OSError, address: Any) -> OSError:
    """The same error, with a sentence that says what to do."""
    advice = ADVICE.get(error.errno or 0, "check host, port and family")
    return OSError(error.errno, f"cannot listen on {address}: {error.strerror} ({advice})")


# --- a cell that is run again -------------------------------------------------------------------


def _cell() -> tuple[str, int] | None:
    """The notebook cell that is being run and the count of its run, None outside notebooks.

    The cell is its id where the notebook tells (JupyterLab does), else its text.
    """
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_code.co_name == "run_cell_async" and "raw_cell" in frame.f_locals:
            run = frame.f_locals
            return run.get("cell_id") or run["raw_cell"], run["self"].execution_count
    return None


def _stop_earlier_run(cell: tuple[str, int] | None) -> None:
    """Stop servers that this cell started when it was run before."""
    for crew in tuple(crews.live):
        if cell and crew.cell and crew.cell[0] == cell[0] and crew.cell[1] < cell[1]:
            crew.stop()
