"""How threads of a background server make calls that could block: so that a stop ends them.

They wait *before* the call, for the socket or for the server's stop, whichever comes first. So a
server ends on every platform without a socket being closed under a blocked call, which Linux,
macOS and Windows answer in three different ways.

What such a thread opens or starts (sockets, threads, pools, event loops) is the server's too.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

Pairs = list[tuple[int, int]]  # (descriptor, any of READ, WRITE and EXCEPT)

READ, WRITE, EXCEPT = MASKS = selectors.EVENT_READ, selectors.EVENT_WRITE, 4
RECEIVING = ("accept", "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into")
SENDING = ("send", "sendto", "sendmsg")
POLLS = tuple(getattr(select, name, 0) for name in ("POLLIN", "POLLOUT", "POLLPRI"))
POLLED = sum(POLLS)  # what poll() waits for when it is not told
DONTWAIT = getattr(socket, "MSG_DONTWAIT", 0)  # Windows has none

ident = threading.get_ident
_select, _poll_object = select.select, getattr(select, "poll", None)
_send = socket.socket.__base__.send  # type: ignore[union-attr]


@dataclass(eq=False)  # two waits for the same thing are two waits
class Wait:
    """What a thread waits for before a call: nothing but the time if there are no `pairs`."""

    pairs: Pairs
    timeout: float | None  # seconds, None for no limit
    began: float = field(default_factory=time.monotonic)


class Server(Protocol):
    """What the guards know of a background server."""

    waits: dict[int, Wait]  # by thread
    taking: threading.Lock  # held from "there is something to read" until it is read
    sockets: Any  # by id()
    pools: list[ThreadPoolExecutor]

    def check(self) -> None: ...  # raises in this thread, one of the server's, once it shall stop
    def bell(self) -> int: ...  # descriptor that becomes readable then
    def missed(self, call: tuple[str, int]) -> None: ...  # a call that found nothing to do
    def moved(self) -> None: ...  # any other call
    def enlist(self, thread: threading.Thread) -> None: ...  # which will call `run`
    def run(self, function: Callable[[], None]) -> None: ...
    def give(self, pool: ThreadPoolExecutor, function: Callable) -> Task: ...
    def serve_loop(self, loop: asyncio.AbstractEventLoop) -> None: ...
    def fail(self, error: BaseException) -> None: ...


class Task(Protocol):
    """A function that a server gives to a pool."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def belongs_to(self, future: Future | None) -> None: ...  # None: the pool did not take it


servers: dict[int, Server] = {}  # by ident of each thread that belongs to a server


@contextmanager
def unowned() -> Iterator[None]:
    """What this thread starts and opens meanwhile belongs to no server."""
    server = servers.pop(ident(), None)
    try:
        yield
    finally:
        if server:
            servers[ident()] = server


# --- waiting -------------------------------------------------------------------------------------


def ready(pairs: Pairs, timeout: float | None) -> bool:
    """Whether one of `pairs` is ready within `timeout` seconds (None: waits for ever)."""
    if _poll_object and sys.platform != "darwin":  # there poll() refuses a kqueue
        return _poll(pairs, timeout)
    read, write, other = ([fd for fd, mask in pairs if mask & bit] for bit in MASKS)
    try:
        return any(_select(read, write, other + write, timeout))  # Windows: a connect() failed
    except (OSError, ValueError):  # a closed socket: the call itself will say so
        return True


def _poll(pairs: Pairs, timeout: float | None) -> bool:
    poll, masks = _poll_object(), dict[int, int]()  # type: ignore[misc]
    for fd, mask in pairs:
        masks[fd] = masks.get(fd, 0) | mask
    for fd, mask in masks.items():
        poll.register(fd, sum(e for e, bit in zip(POLLS, MASKS, strict=True) if mask & bit))
    return bool(poll.poll(None if timeout is None else min(timeout * 1000, 2**31 - 1)))


def wait(server: Server, pairs: Pairs, timeout: float | None) -> bool:
    """Wait for `pairs` or for the server's stop, which is raised; False if neither came."""
    server.check()
    server.waits[ident()] = Wait(pairs, timeout)
    try:
        found = ready([*pairs, (server.bell(), READ)], timeout)
    finally:
        server.waits.pop(ident(), None)
    server.check()
    return found


def _wait_for(server: Server, sock: socket.socket, mask: int, timeout: float | None) -> None:
    """Wait for one socket. TimeoutError in the words of the call itself."""
    server.check()
    pairs = [(sock.fileno(), mask)]
    if not ready(pairs, 0) and not wait(server, pairs, timeout):
        raise TimeoutError("timed out")


# --- calls ---------------------------------------------------------------------------------------


def call(
    server: Server, name: str, original: Callable, sock: Any, *args: Any, **kwargs: Any
) -> Any:
    """The socket call `name`, as `original` makes it, in a thread of `server`."""
    way = _WAYS.get(name, _checked)
    if name in _WAYS and (sock.gettimeout() == 0 or sock.fileno() < 0):
        way = _checked
    moved = True
    try:
        result = way(server, original, sock, *args, **kwargs)
        moved = bool(result) or name not in _MAY_MISS
        return result
    except (BlockingIOError, TimeoutError):
        moved = False
        raise
    finally:
        server.moved() if moved else server.missed((name, id(sock)))


def _checked(server: Server, original: Callable, *args: Any, **kwargs: Any) -> Any:
    server.check()
    return original(*args, **kwargs)


def _receive(server: Server, original: Callable, sock: Any, *args: Any, **kwargs: Any) -> Any:
    """Of several threads that wait for one socket, one takes what came and the others wait on."""
    while True:
        server.check()
        with _turn(server, args, kwargs):
            if ready([(sock.fileno(), READ)], 0):
                return original(sock, *args, **kwargs)
        if not _can_come(sock, original.__name__):
            return original(sock, *args, **kwargs)
        if not wait(server, [(sock.fileno(), READ)], sock.gettimeout()):
            raise TimeoutError("timed out")


def _can_come(sock: Any, name: str) -> bool:
    """Whether to wait at all: a socket that listens gives no bytes, any other no connections."""
    try:
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:  # some systems do not tell
        return True
    return bool(listens) == (name == "accept")


def _turn(server: Server, args: tuple, kwargs: dict) -> AbstractContextManager:
    """The lock to hold while receiving, but not in a call that goes on waiting for more."""
    flags = kwargs.get("flags", args[-1] if len(args) > 1 else 0)
    return nullcontext() if flags & getattr(socket, "MSG_WAITALL", 0) else server.taking


def _give(server: Server, original: Callable, sock: Any, *args: Any) -> Any:
    _wait_for(server, sock, WRITE, sock.gettimeout())
    return original(sock, *args)


def _give_all(server: Server, original: Callable, sock: Any, data: Any, flags: int = 0) -> None:
    """sendall() in steps, between which the server can be stopped."""
    if not DONTWAIT or isinstance(data, str):
        return _give(server, original, sock, data, flags)
    timeout, sent = sock.gettimeout(), 0
    until = time.monotonic() + (timeout or 0)
    with memoryview(data).cast("B") as view:
        while True:
            left = None if timeout is None else max(0, until - time.monotonic())
            _wait_for(server, sock, WRITE, left)
            with suppress(BlockingIOError):  # another thread was faster
                sent += _send(sock, view[sent:], flags | DONTWAIT)
                if sent >= len(view):
                    return None


_WAYS = {**dict.fromkeys(RECEIVING, _receive), **dict.fromkeys(SENDING, _give)}
_WAYS["sendall"] = _give_all
_MAY_MISS = ("recv", "recv_into", "send")  # by their result


def choose(
    server: Server, look: Callable[[float], Any], timeout: float | None, pairs: Callable[[], Pairs]
) -> Any:
    """What `look` finds at once, or else when one of `pairs()` is ready: any kind of select()."""
    server.check()
    found = look(0 if timeout is None else min(timeout, 0))
    if not any(found) and (timeout is None or timeout > 0):
        wait(server, pairs(), timeout)
        found = look(0)
    server.moved() if any(found) else server.missed(("select", 0))
    return found


def pairs_of(selector: Any) -> Pairs:
    """What to wait for in place of `selector`: its own descriptor, else all that it holds."""
    if hasattr(selector, "fileno"):
        return [(selector.fileno(), READ)]
    return [(key.fd, key.events) for key in (selector.get_map() or {}).values()]


def descriptors(sockets: Iterable[Any], mask: int) -> Pairs:
    """The pairs of a list that `select.select` takes."""
    return [(sock if isinstance(sock, int) else sock.fileno(), mask) for sock in sockets]


class Poll:
    """What `select.poll()` gives a thread of a server: its poll() ends when the server stops."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._masks: dict[int, int] = {}  # by descriptor

    def register(self, fd: Any, mask: int = POLLED) -> None:
        self._real.register(fd, mask)
        self._masks.update((number, mask) for number, _ in descriptors([fd], 0))

    def modify(self, fd: Any, mask: int) -> None:
        self._real.modify(fd, mask)
        self.register(fd, mask)

    def unregister(self, fd: Any) -> None:
        self._real.unregister(fd)
        for number, _ in descriptors([fd], 0):
            del self._masks[number]

    def poll(self, timeout: float | None = None, /) -> Any:
        server = servers.get(ident())
        if not server:
            return self._real.poll(timeout)
        seconds = None if timeout is None or timeout < 0 else timeout / 1000
        return choose(server, lambda _: self._real.poll(0), seconds, self._pairs)

    def _pairs(self) -> Pairs:
        bits = list(zip(POLLS, MASKS, strict=True))
        masks = self._masks.items()
        return [(fd, sum(bit for event, bit in bits if mask & event)) for fd, mask in masks]


# --- wrappers that only servers need -------------------------------------------------------------


def _guard_sleep(original: Callable) -> Callable:
    def sleep(seconds):
        server = servers.get(ident())
        if server and isinstance(seconds, int | float) and seconds > 0.01:
            until = time.monotonic() + seconds
            wait(server, [], seconds - 0.002)  # which is exact to a millisecond only
            seconds = max(0, until - time.monotonic())
        original(seconds)

    return sleep


def _guard_poll(original: Callable) -> Callable:
    def poll():
        return Poll(original()) if ident() in servers else original()

    return poll


def _guard_tls(original: Callable) -> Callable:
    """SSLSocket.read and do_handshake, which go by the methods of socket.socket."""

    def tls(self, *args, **kwargs):
        server, timeout = servers.get(ident()), self.gettimeout()
        first = self.server_side or original.__name__ == "read"  # the peer has the first word
        if server and first and timeout != 0 and self.fileno() >= 0 and not self.pending():
            _wait_for(server, self, READ, timeout)
        return original(self, *args, **kwargs)

    return tls


def _guard_pool(original: Callable) -> Callable:
    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if ident() in servers:
            servers[ident()].pools.append(self)

    return init


def _guard_submit(original: Callable) -> Callable:
    """What a server gives to a pool is the server's, whoever owns the pool."""

    def submit(self, fn, /, *args, **kwargs):
        server = servers.get(ident())
        if not server:
            return original(self, fn, *args, **kwargs)
        task, future = server.give(self, fn), None
        try:
            future = original(self, task, *args, **kwargs)
        finally:
            task.belongs_to(future)
        return future

    return submit


def _guard_loop(original: Callable) -> Callable:
    def run_forever(self):
        if ident() in servers:
            servers[ident()].serve_loop(self)
        return original(self)

    return run_forever


def _guard_alarm(original: Callable) -> Callable:
    """A thread that ends may still tell a loop so, by a byte in a socket of asyncio's own."""

    def call_soon_threadsafe(self, *args, **kwargs):
        with unowned():
            return original(self, *args, **kwargs)

    return call_soon_threadsafe


def _guard_handler(original: Callable) -> Callable:
    """What a handler of `socketserver` raises is the server's error; else it would be printed."""

    def handle_error(self, request, client_address):
        server, error = servers.get(ident()), sys.exception()
        if server and error:
            return server.fail(error)
        return original(self, request, client_address)

    return handle_error


GUARDS: list[tuple[Any, str, Callable[[Callable], Callable]]] = [
    (time, "sleep", _guard_sleep),
    *([(select, "poll", _guard_poll)] if _poll_object else []),
    (ssl.SSLSocket, "read", _guard_tls),
    (ssl.SSLSocket, "do_handshake", _guard_tls),
    (ThreadPoolExecutor, "__init__", _guard_pool),
    (ThreadPoolExecutor, "submit", _guard_submit),
    (asyncio.BaseEventLoop, "run_forever", _guard_loop),
    (asyncio.BaseEventLoop, "call_soon_threadsafe", _guard_alarm),
    (socketserver.BaseServer, "handle_error", _guard_handler),
]
