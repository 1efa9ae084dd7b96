"""The one place where Python's socket calls are listened to, for as long as somebody wants it.

Methods of `socket.socket`, `select()` of every selector and `select.select` are replaced by
wrappers while a recording or a background server lives, and put back afterwards. The class itself
is changed, not exchanged: sockets made earlier and `from socket import socket` are seen too.

Calls made by a thread of a background server go through `guards`.
"""

from __future__ import annotations

import select
import selectors
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import thread as pool
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakSet

from socketlab import guards
from socketlab.conversation import INTEREST
from socketlab.guards import MASKS, choose, descriptors, ident, pairs_of, servers

clock = time.perf_counter_ns
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


WRAPPERS = (__file__, guards.__file__)  # whose frames are none of the reader's
private: WeakSet[socket.socket] = WeakSet()  # the kit's own, of no interest to a recording
_sinks: dict[object, Callable[[Any], None]] = {}
_guards: set[object] = set()
_lock = threading.RLock()


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


# --- wrappers -----------------------------------------------------------------------------------

DESCRIBE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "accept": lambda self, args, result: id(result[0]),
    "connect": lambda self, args, result: _connected(self, args[0]),
    "connect_ex": lambda self, args, result: (*_connected(self, args[0]), result),
    "bind": lambda self, args, result: names(self),
    "listen": lambda self, args, result: names(self),
    "shutdown": lambda self, args, result: args[0],
    "recv": lambda self, args, result: cut(result),
    "recv_into": lambda self, args, result: cut(args[0], result),
    "recvfrom": lambda self, args, result: (cut(result[0]), result[1]),
    "recvfrom_into": lambda self, args, result: (cut(args[0], result[0]), result[1]),
    "recvmsg": lambda self, args, result: (cut(result[0]), result[3]),
    "recvmsg_into": lambda self, args, result: (cut(b"".join(args[0]), result[0]), result[3]),
    "send": lambda self, args, result: cut(args[0], result),
    "sendall": lambda self, args, result: cut(args[0]),
    "sendto": lambda self, args, result: (cut(args[0], result), args[-1], names(self)[0]),
    "sendmsg": lambda self, args, result: (cut(b"".join(args[0]), result), *args[3:]),
}
INTO = ("recv_into", "recvfrom_into")
GATHER = ("sendmsg", "recvmsg_into")


def _connected(sock: socket.socket, address: Any) -> tuple[Any, Any]:
    """Both addresses; the peer's as it was given, perhaps by name, while it is not connected."""
    own, peer = names(sock)
    return own, peer or address


def note(event: Any) -> None:
    """Hand `event` to every recording that is running."""
    for sink in tuple(_sinks.values()):
        sink(event)


emit: Callable[[Any], None] = note  # the only recording's own sink while there is only one


def _special(call: str, args: tuple) -> str:
    """The name of a receiving call: another one if it takes no bytes out of the stream."""
    place = 1 if call in ("recv", "recvfrom") else 2
    if len(args) > place and args[place] & socket.MSG_PEEK:
        return "peek"
    size = memoryview(args[0]).nbytes if call in INTO else args[0]
    return call if size else call + "(0)"


def _by_place(buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple:
    """The arguments of a call of INTO, which alone may be given by name."""
    return buffer, nbytes, flags


def _tap(call: str, original: Callable) -> Callable:
    """`original`, noted; in a server's thread it waits first, and may end there."""
    describe = DESCRIBE[call]

    def tapped(self, *args, **kwargs):
        if call in GATHER and args:
            args = (list(args[0]), *args[1:])  # asyncio hands over an iterator
        if kwargs and call in INTO:
            args, kwargs = _by_place(*args, **kwargs), {}
        start, me = clock(), ident()
        try:
            if me in servers and call != "shutdown":  # with which a server that ends says goodbye
                result = guards.call(servers[me], call, original, self, *args, **kwargs)
            else:
                result = original(self, *args, **kwargs)
        except BaseException as error:
            own = names(self)[0] if call.startswith("connect") else None
            note(Event(call, id(self), start, clock(), me, (own, *args), error))
            raise
        if _sinks:
            name = _special(call, args) if call.startswith("recv") else call
            note(Event(name, id(self), start, clock(), me, describe(self, args, result)))
        return result

    tapped.__name__ = call
    return tapped


def _tap_recv(original: Callable) -> Callable:
    """recv() while a recording runs: `_tap` written out, for its cost is the recording's cost."""

    def recv(self, bufsize, flags=0, /):
        start, me = clock(), ident()
        try:
            if me in servers:
                data = guards.call(servers[me], "recv", original, self, bufsize, flags)
            else:
                data = original(self, bufsize, flags)
        except BaseException as error:
            emit(("recv", id(self), start, clock(), me, b"", error))
            raise
        kept = data if len(data) <= CUT else cut(data)
        call = "recv" if bufsize and not flags else _special("recv", (bufsize, flags))
        emit((call, id(self), start, clock(), me, kept, None))
        return data

    return recv


def _tap_sendall(original: Callable) -> Callable:
    """sendall() while a recording runs, likewise."""

    def sendall(self, data, flags=0, /):
        start, me = clock(), ident()
        try:
            if me in servers:
                guards.call(servers[me], "sendall", original, self, data, flags)
            else:
                original(self, data, flags)
        except BaseException as error:
            emit(("sendall", id(self), start, clock(), me, b"", error))
            raise
        end = clock()
        kept = data if data.__class__ is bytes and len(data) <= CUT else cut(data)
        emit(("sendall", id(self), start, end, me, kept, None))

    return sendall


FAST = {"recv": _tap_recv, "sendall": _tap_sendall}


def _tap_tls(call: str, original: Callable) -> Callable:
    """A call of an SSLSocket, noted with what the program sees: what it reads is decrypted."""
    describe = DESCRIBE[call]

    def tapped(self, *args, **kwargs):
        inner = sys._getframe(1).f_code.co_filename == ssl.__file__  # sendall() makes many send()
        if inner or self._sslobj is None or not _sinks:
            return original(self, *args, **kwargs)
        if kwargs and call in INTO:
            args, kwargs = _by_place(*args, **kwargs), {}
        start, me = clock(), ident()
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            note(Event(call, id(self), start, clock(), me, (None, *args), error))
            raise
        note(Event(call, id(self), start, clock(), me, describe(self, args, result)))
        return result

    tapped.__name__ = call
    return tapped


def _tap_init(original: Callable) -> Callable:
    def init(self, family=-1, type=-1, proto=-1, fileno=None):
        original(self, family, type, proto, fileno)
        now, me = clock(), ident()
        if me in servers:
            servers[me].sockets[id(self)] = self
        if _sinks:
            known = (None, None) if fileno is None else names(self)
            note(Event("socket", id(self), now, now, me, (self.type, *known, self.fileno())))

    return init


def _tap_start(original: Callable) -> Callable:
    """Thread.start: what a server's thread starts is the server's, and each thread has a birth."""

    def start(self):
        run, server = self.run, servers.get(ident())
        if getattr(self, "_target", None) is pool._worker:
            server = None  # only what it is given to do is the server's

        def tapped_run():
            now = clock()
            note(Event("thread", 0, now, now, ident(), self.name))
            try:
                server.run(run) if server else run()
            finally:
                self.__dict__.pop("run", None)

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
        if known and self.fileno() < 0:  # else it is closed with the last file made of it
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
        start, me, asked = clock(), ident(), (id(self), ())
        try:
            if me in servers:
                look = partial(original, self)
                found = choose(servers[me], look, timeout, partial(pairs_of, self))
            else:
                found = original(self, timeout)
        except BaseException as error:
            note(Event("select", 0, start, clock(), me, (*asked, ()), error))
            raise
        if _sinks:
            ready = tuple((key.fd, mask) for key, mask in found)
            note(Event("select", 0, start, clock(), me, (*asked, ready)))
        return found

    return select


def _tap_interest(call: str, original: Callable) -> Callable:
    """register(), modify() or unregister() of a selector class."""

    def tapped(self, fileobj, *args, **kwargs):
        if sys._getframe(1).f_globals.get("__name__") in ("selectors", __name__):
            return original(self, fileobj, *args, **kwargs)  # a step of one that is noted
        start, me = clock(), ident()
        try:
            key = original(self, fileobj, *args, **kwargs)
        except BaseException as error:
            about = (id(self), tuple(_pairs([fileobj], 0)), ())
            note(Event(call, 0, start, clock(), me, about, error))
            raise
        mask = 0 if call == "unregister" else key.events
        note(Event(call, 0, start, clock(), me, (id(self), ((key.fd, mask),), ())))
        return key

    tapped.__name__ = call
    return tapped


def _masks(lists: Iterable[Any]) -> tuple[tuple[int, int], ...]:
    """(descriptor, mask) of everything in the three lists of `select.select`."""
    both = zip(lists, MASKS, strict=False)
    return tuple(pair for things, mask in both for pair in _pairs(things, mask))


def _pairs(things: Any, mask: int) -> guards.Pairs:
    """What a list asks about as descriptors; nothing where there are none to be had."""
    try:
        return descriptors(things, mask) if isinstance(things, Collection) else []
    except (AttributeError, TypeError):  # the call itself will say so
        return []


def _tap_raw_select(original: Callable) -> Callable:
    """`select.select`, which takes three lists."""

    def select(*args):
        if sys._getframe(1).f_globals.get("__name__") == "selectors":  # noted there already
            return original(*args)
        start, me, asked = clock(), ident(), (0, ())
        if _sinks:
            asked = 0, _masks(args[:3])
        try:
            found = _select_as(servers[me], original, *args) if me in servers else original(*args)
        except BaseException as error:
            note(Event("select", 0, start, clock(), me, (*asked, ()), error))
            raise
        if _sinks:
            note(Event("select", 0, start, clock(), me, (*asked, _masks(found))))
        return found

    return select


def _select_as(server: guards.Server, original: Callable, *args: Any) -> Any:
    lists, timeout = [list(things) for things in args[:3]], (args[3:] or (None,))[0]

    def pairs() -> guards.Pairs:
        both = zip(lists, guards.MASKS, strict=True)
        return [pair for things, mask in both for pair in descriptors(things, mask)]

    return choose(server, partial(original, *lists), timeout, pairs)


def conceal(error: BaseException | None) -> None:
    """Take the wrappers out of the tracebacks of `error` and of those before it: they end in the
    reader's own line."""
    for each in _chain(error, set()):
        trace = each.__traceback__
        while trace:
            while trace.tb_next and trace.tb_next.tb_frame.f_code.co_filename in WRAPPERS:
                trace.tb_next = trace.tb_next.tb_next
            trace = trace.tb_next


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """`error`, all that it came from, and all that it is made of."""
    if error and id(error) not in seen:
        seen.add(id(error))
        yield error
        parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        for other in (error.__cause__, error.__context__, *parts):
            yield from _chain(other, seen)


# --- putting the wrappers in place ---------------------------------------------------------------

_SELECTORS = {
    (cls, call): partial(_tap_interest, call) if call in INTEREST else _tap_select
    for cls in vars(selectors).values()
    for call in ("select", *INTEREST)
    if isinstance(cls, type) and call in vars(cls) and cls is not selectors.BaseSelector
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
    kept = _found.get((socket.socket, call), vars(socket.socket).get(call, _INHERITED))
    return getattr(super(socket.socket, socket.socket), call) if kept is _INHERITED else kept


def tapped(call: str, act: Callable) -> Callable:
    """`act`, which a socket class of the kit does in place of the method `call` of socket.socket:
    with that method's wrapper, if there is one now."""
    return _tap(call, act) if _sinks or _guards else act


def _install() -> None:
    """Each wrapper replaces its predecessor in one step: no call goes by unseen in between."""
    global emit
    emit = next(iter(_sinks.values())) if len(_sinks) == 1 else note
    for call in DESCRIBE:
        if hasattr(socket.socket, call):  # Windows has no sendmsg
            fast = FAST.get(call) if _sinks else None
            _put(socket.socket, call, fast or partial(_tap, call))
    _put(socket.socket, "__init__", _tap_init)
    _put(socket.socket, "close", _tap_close)
    for call in ("recv", "recv_into", "send", "sendall"):
        _put(ssl.SSLSocket, call, partial(_tap_tls, call))
    _put(socket, "socketpair", _tap_socketpair)
    _put(threading.Thread, "start", _tap_start)
    _put(select, "select", _tap_raw_select)
    for (selector, call), build in _SELECTORS.items():
        _put(selector, call, build)
    for place in guards.GUARDS if _guards else ():
        _put(*place)


def _put(owner: Any, name: str, build: Callable[[Callable], Callable]) -> None:
    """Set `owner.name` to what `build` makes of the original, however often it is called."""
    kept = _found.setdefault((owner, name), vars(owner).get(name, _INHERITED))
    original = getattr(super(owner, owner), name) if kept is _INHERITED else kept
    setattr(owner, name, build(original))


def _restore() -> None:
    global emit
    emit = note
    for (owner, name), kept in list(_found.items()):
        if kept is not _INHERITED:
            setattr(owner, name, kept)
        elif name in vars(owner):
            delattr(owner, name)
        del _found[owner, name]
