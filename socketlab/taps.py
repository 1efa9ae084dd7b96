"""The one place where Python's socket calls are listened to, for as long as somebody wants it.

Methods of `socket.socket`, `select()` of every selector and `select.select` are replaced by
wrappers while a recording or a background server lives, and put back afterwards. The class itself
is changed, not exchanged: sockets made earlier and `from socket import socket` are seen too.

Threads of a background server wait *before* a call that could block: for the socket or for the
server's stop signal, whichever comes first. So they end on every platform without a socket being
closed under a blocked call, which Linux, macOS and Windows answer in three different ways.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol
from weakref import WeakSet

clock = time.perf_counter_ns
ident = threading.get_ident
Pairs = list[tuple[int, int]]  # (descriptor, READ | WRITE)
Waiting = tuple[Pairs, float | None]  # and the seconds that it may take, None for no limit

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
CUT = 512  # a payload longer than this is kept only as its first KEPT bytes and its length
KEPT = 64


class Event(NamedTuple):
    """One call as it was seen; times from `clock`, in nanoseconds.

    `key` is the socket's id(); a later socket with the same id has a "socket" event between.
    `result` is what the call moved or found, after DESCRIBE.
    """

    call: str
    key: int
    start: int
    end: int
    thread: int
    result: Any
    error: BaseException | None = None


class Cut(NamedTuple):
    """The first bytes of a payload too long to keep, and its length in bytes."""

    data: bytes
    nbytes: int


class Server(Protocol):
    """What the taps know of a background server."""

    wake: int  # descriptor that becomes readable when the server shall stop
    waiting: dict[int, Waiting]  # by thread: what it waits for before a call

    loops: set[asyncio.AbstractEventLoop]  # seen running in its threads

    def check(self) -> None: ...  # raises in the server's threads once it shall stop
    def adopt(self, sock: socket.socket) -> None: ...
    def enlist(self, thread: threading.Thread) -> None: ...


servers: dict[int, Server] = {}  # by ident of each thread that belongs to a server
private: WeakSet[socket.socket] = WeakSet()  # the kit's own, of no interest to a recording
_sinks: dict[object, Callable[[Any], None]] = {}
_guards: set[object] = set()
_lock = threading.RLock()
_select = select.select


def cut(data: Any, nbytes: int | None = None) -> bytes | Cut:
    """The first `nbytes` of `data` as an event keeps them: whole when short, else a `Cut`."""
    view = memoryview(data).cast("B")[:nbytes]
    return view.tobytes() if len(view) <= CUT else Cut(view[:KEPT].tobytes(), len(view))


def names(sock: socket.socket) -> tuple[Any, Any]:
    """(own address, peer's address), None for one that the socket does not have."""
    found = []
    for ask in (sock.getsockname, sock.getpeername):
        try:
            found.append(ask())
        except OSError:
            found.append(None)
    return found[0], found[1]


# --- waiting ------------------------------------------------------------------------------------


def ready(pairs: Pairs, timeout: float | None) -> set[int]:
    """The descriptors of `pairs` that are ready within `timeout` seconds (None: for ever)."""
    if hasattr(select, "poll") and sys.platform != "darwin":  # there poll() refuses a kqueue
        poll = select.poll()
        for fd, mask in pairs:
            poll.register(fd, (mask & READ and select.POLLIN) | (mask & WRITE and select.POLLOUT))
        return {fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000)}
    wanted = [[fd for fd, mask in pairs if mask & bit] for bit in (READ, WRITE)]
    try:
        return {fd for found in _select(*wanted, [], timeout) for fd in found}
    except (OSError, ValueError):  # a closed socket: the call itself will say so
        return {fd for fd, _ in pairs}


def _wait(server: Server, pairs: Pairs, timeout: float | None) -> bool:
    """Wait for `pairs` or for the server's stop, which is raised; False if neither came in time."""
    server.check()
    me = ident()
    server.waiting[me] = pairs, timeout
    try:
        found = ready([*pairs, (server.wake, READ)], timeout)
    finally:
        del server.waiting[me]
    server.check()
    return bool(found)


def _wait_socket(server: Server, sock: socket.socket, mask: int) -> None:
    """Wait as long as the socket's own timeout allows; TimeoutError as it would raise itself."""
    server.check()
    timeout = sock.gettimeout()
    if timeout == 0 or sock.fileno() < 0:
        return
    if not _wait(server, [(sock.fileno(), mask)], timeout):
        raise TimeoutError("timed out")


def _selector_pairs(selector: Any) -> Pairs:
    """What to wait for in place of `selector`: its own descriptor, else all that it holds."""
    if hasattr(selector, "fileno"):
        return [(selector.fileno(), READ)]
    return [(key.fd, key.events) for key in (selector.get_map() or {}).values()]


# --- wrappers -----------------------------------------------------------------------------------

WAITS = dict.fromkeys(
    ("accept", "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg"), READ
)
WAITS |= dict.fromkeys(("send", "sendall", "sendto", "sendmsg"), WRITE)

DESCRIBE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "accept": lambda self, args, result: (id(result[0]), *names(result[0])),
    "connect": lambda self, args, result: (names(self)[0], args[0]),
    "connect_ex": lambda self, args, result: (names(self)[0], args[0], result),
    "bind": lambda self, args, result: names(self),
    "listen": lambda self, args, result: names(self),
    "shutdown": lambda self, args, result: args[0],
    "recv": lambda self, args, result: cut(result),
    "recv_into": lambda self, args, result: cut(args[0], result),
    "recvfrom": lambda self, args, result: (cut(result[0]), result[1]),
    "recvfrom_into": lambda self, args, result: (cut(args[0], result[0]), result[1]),
    "recvmsg": lambda self, args, result: (cut(result[0]), result[3]),
    "send": lambda self, args, result: cut(args[0], result),
    "sendall": lambda self, args, result: cut(args[0]),
    "sendto": lambda self, args, result: (cut(args[0], result), args[-1], names(self)[0]),
    "sendmsg": lambda self, args, result: cut(b"".join(args[0]), result),
}


def note(event: Any) -> None:
    """Hand `event` to every recording that is running."""
    for sink in tuple(_sinks.values()):
        sink(event)


def _special(call: str, bufsize: Any, flags: int = 0, *_: Any) -> str:
    """The name of a receiving call that does not take bytes out of the stream."""
    return "peek" if flags & socket.MSG_PEEK else call if bufsize else call + "(0)"


def _tap(call: str, original: Callable) -> Callable:
    """`original`, noted; in a server's thread it waits first, and may end there."""
    mask, describe = WAITS.get(call), DESCRIBE[call]

    def tapped(self, *args, **kwargs):
        if call == "sendmsg":
            args = (list(args[0]), *args[1:])  # asyncio hands over an iterator
        start, me = clock(), ident()
        server = servers.get(me)
        try:
            if server and mask:
                _wait_socket(server, self, mask)
            elif server and call != "shutdown":
                server.check()
            result = original(self, *args, **kwargs)
        except BaseException as error:
            own = names(self)[0] if call.startswith("connect") else None
            note(Event(call, id(self), start, clock(), me, (own, *args), error))
            raise
        if _sinks:
            name = _special(call, *args) if call in ("recv", "recvfrom", "recvmsg") else call
            note(Event(name, id(self), start, clock(), me, describe(self, args, result)))
        return result

    tapped.__name__ = call
    return tapped


def _tap_recv(original: Callable, note: Callable) -> Callable:
    """recv() while a recording runs: `_tap` written out, for its cost is the recording's cost."""

    def recv(self, bufsize, flags=0):
        start, me = clock(), ident()
        try:
            if me in servers:
                _wait_socket(servers[me], self, READ)
            data = original(self, bufsize, flags)
        except BaseException as error:
            note(("recv", id(self), start, clock(), me, b"", error))
            raise
        kept = data if len(data) <= CUT else cut(data)
        call = "recv" if bufsize and not flags else _special("recv", bufsize, flags)
        note((call, id(self), start, clock(), me, kept, None))
        return data

    return recv


def _tap_sendall(original: Callable, note: Callable) -> Callable:
    """sendall() while a recording runs, likewise."""

    def sendall(self, data, flags=0):
        start, me = clock(), ident()
        try:
            if me in servers:
                _wait_socket(servers[me], self, WRITE)
            original(self, data, flags)
        except BaseException as error:
            note(("sendall", id(self), start, clock(), me, b"", error))
            raise
        end = clock()
        kept = data if data.__class__ is bytes and len(data) <= CUT else cut(data)
        note(("sendall", id(self), start, end, me, kept, None))

    return sendall


FAST = {"recv": _tap_recv, "sendall": _tap_sendall}


def _tap_init(original: Callable) -> Callable:
    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        now, me = clock(), ident()
        if me in servers:
            servers[me].adopt(self)
        if _sinks:
            note(Event("socket", id(self), now, now, me, self.type))

    return init


def _tap_start(original: Callable) -> Callable:
    """Thread.start: what a server's thread starts is the server's, and each thread has a birth."""

    def start(self):
        run, server = self.run, servers.get(ident())

        def tapped_run():
            now = clock()
            note(Event("thread", 0, now, now, ident(), self.name))
            try:
                run()
            finally:
                del self.run

        if not self.ident:  # else it was started before, as the original will say
            self.run = tapped_run
            if server:
                server.enlist(self)
        original(self)

    return start


def _tap_close(original: Callable) -> Callable:
    def close(self):
        start = clock()
        known = names(self) if _sinks and self.fileno() >= 0 else None
        original(self)
        if known:  # closing twice is allowed, and nothing happens
            note(Event("close", id(self), start, clock(), ident(), known))

    return close


def _tap_socketpair(original: Callable) -> Callable:
    def socketpair(*args, **kwargs):
        start = clock()
        a, b = original(*args, **kwargs)
        caller = sys._getframe(1).f_globals.get("__name__", "")
        note(Event("socketpair", id(a), start, clock(), ident(), (id(b), caller)))
        return a, b

    return socketpair


def _tap_select(original: Callable) -> Callable:
    """select() of a selector class, called with (self, timeout)."""

    def select(self, timeout=None):
        start, me = clock(), ident()
        server = servers.get(me)
        try:
            if server and (timeout is None or timeout > 0):
                if loop := asyncio._get_running_loop():
                    server.loops.add(loop)
                _wait(server, _selector_pairs(self), timeout)
                timeout = 0
            found = original(self, timeout)
        except BaseException as error:
            note(Event("select", 0, start, clock(), me, (), error))
            raise
        if _sinks:
            keys = tuple((id(key.fileobj), mask) for key, mask in found)
            note(Event("select", 0, start, clock(), me, keys))
        return found

    return select


def _tap_raw_select(original: Callable) -> Callable:
    """`select.select`, which takes three lists."""

    def select(rlist, wlist, xlist, timeout=None):
        if sys._getframe(1).f_globals.get("__name__") == "selectors":  # noted there already
            return original(rlist, wlist, xlist, timeout)
        start, me = clock(), ident()
        server = servers.get(me)
        try:
            if server and (timeout is None or timeout > 0):
                _wait(server, [*_descriptors(rlist, READ), *_descriptors(wlist, WRITE)], timeout)
                timeout = 0
            found = original(rlist, wlist, xlist, timeout)
        except BaseException as error:
            note(Event("select", 0, start, clock(), me, (), error))
            raise
        if _sinks:
            keys = [(id(s), mask) for mask in (READ, WRITE) for s in found[mask - 1]]
            note(Event("select", 0, start, clock(), me, tuple(keys)))
        return found

    return select


def _descriptors(sockets: Iterable[Any], mask: int) -> Pairs:
    return [(sock if isinstance(sock, int) else sock.fileno(), mask) for sock in sockets]


def conceal(error: BaseException | None) -> None:
    """Take the wrappers out of the error's traceback: it ends in the reader's own line."""
    trace = error.__traceback__ if error else None
    while trace:
        while trace.tb_next and trace.tb_next.tb_frame.f_code.co_filename == __file__:
            trace.tb_next = trace.tb_next.tb_next
        trace = trace.tb_next


# --- putting the wrappers in place ---------------------------------------------------------------

_SELECTORS = {
    cls
    for cls in vars(selectors).values()
    if isinstance(cls, type) and "select" in vars(cls) and cls is not selectors.BaseSelector
}
_found: dict[tuple[Any, str], Any] = {}  # what stood there before; _INHERITED if nothing did
_INHERITED = object()


def listen(key: object, sink: Callable[[Any], None]) -> None:
    """Hand every event to `sink`, from now until `forget(key)`."""
    with _lock:
        _sinks[key] = sink
        _install()


def guard(key: object) -> None:
    """Keep the wrappers in place for threads in `servers`, until `forget(key)`."""
    with _lock:
        _guards.add(key)
        _install()


def forget(key: object) -> None:
    """Stop listening or guarding for `key`; the last one out puts everything back."""
    with _lock:
        _sinks.pop(key, None)
        _guards.discard(key)
        _install() if _sinks or _guards else _restore()


def unseen(call: str) -> Callable:
    """The method of socket.socket without its wrapper: nobody waits, nothing is noted."""
    kept = _found.get((socket.socket, call), _INHERITED)
    return getattr(super(socket.socket, socket.socket), call) if kept is _INHERITED else kept


def _install() -> None:
    """Each wrapper replaces its predecessor in one step: no call goes by unseen in between."""
    sink = next(iter(_sinks.values())) if len(_sinks) == 1 else note
    for call in DESCRIBE:
        if hasattr(socket.socket, call):  # Windows has no sendmsg
            fast = FAST.get(call) if _sinks else None
            _put(socket.socket, call, partial(fast, note=sink) if fast else partial(_tap, call))
    _put(socket.socket, "__init__", _tap_init)
    _put(socket.socket, "close", _tap_close)
    _put(socket, "socketpair", _tap_socketpair)
    _put(threading.Thread, "start", _tap_start)
    _put(select, "select", _tap_raw_select)
    for selector in _SELECTORS:
        _put(selector, "select", _tap_select)


def _put(owner: Any, name: str, build: Callable[[Callable], Callable]) -> None:
    """Set `owner.name` to what `build` makes of the original, however often it is called."""
    kept = _found.setdefault((owner, name), vars(owner).get(name, _INHERITED))
    original = getattr(super(owner, owner), name) if kept is _INHERITED else kept
    setattr(owner, name, build(original))


def _restore() -> None:
    for (owner, name), kept in _found.items():
        if kept is _INHERITED:
            delattr(owner, name)
        else:
            setattr(owner, name, kept)
    _found.clear()
