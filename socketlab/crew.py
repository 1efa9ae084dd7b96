"""The threads and sockets of one running server: who they are, when they rest, how they end.

A server ends in three stages. Its asyncio loops are told to end in their own way; then every
thread is ended at its next socket call, wherever it waits; and what is left is insisted upon.
"""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import ctypes
import inspect
import socket
import sys
import threading
import time
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import thread as pool
from functools import partial
from types import FrameType, TracebackType
from typing import Any
from weakref import WeakValueDictionary

from socketlab import guards, taps

SETTLE = 2.0  # seconds that servers may take to finish what their clients have sent
LONG = 0.5  # a wait of so many seconds for a socket is taken for "until somebody calls"
PATIENCE = 0.5  # seconds from the polite signal to the impolite ones
TIMEOUT = 5.0  # seconds until a server that ignores them all is reported
DEAF = 1000  # signals ignored by one thread, after which they are aimed at its handlers
TURNS = 20  # of an asyncio loop in which tasks notice that their clients left

live: set[Crew] = set()


class ServerStopped(SystemExit):
    """Raised in a server's own threads, at a socket call, when it shall stop.

    It is a SystemExit: `except Exception` lets it pass, a thread ends by it in silence, and an
    asyncio loop ends by it instead of logging it.
    """


class ServerStillRunning(RuntimeError):
    """A server function did not end, whatever was tried; the message says where it is."""


class Bell:
    """Tells threads that wait, now or later, to stop."""

    def __init__(self) -> None:
        self.signal, self.wake = socket.socketpair()
        self.rung = False
        taps.private.update((self.signal, self.wake))

    def ring(self) -> None:
        self.rung = True
        self.signal.close()  # which makes `wake` readable


class Crew:
    """The threads and sockets of one running server. It knows nothing of the handle that users
    hold, so that a handle which is dropped can be collected, and stops its server."""

    def __init__(
        self,
        function: Callable,
        listener: socket.socket,
        name: str,
        cell: tuple[str, int] | None,
        cleanups: list[Callable],
    ) -> None:
        self.function, self.listener, self.name = function, listener, name
        self.address = reachable(listener)
        self.cell, self.cleanups = cell, cleanups
        self.ending = False
        self.errors: list[BaseException] = []
        self.told: Counter[int] = Counter()

        self.threads: list[threading.Thread] = []  # the first runs `function`
        self.sockets: WeakValueDictionary[int, socket.socket] = WeakValueDictionary()
        self.kept: list[socket.socket] = []
        self.loops: dict[int, asyncio.AbstractEventLoop] = {}  # by thread
        self.pools: list[ThreadPoolExecutor] = []
        self.queued: dict[Task, ThreadPoolExecutor] = {}  # that no thread of the pool has begun
        self.lost: list[Task] = []  # those that failed

        self.taking = threading.Lock()
        self.waits: dict[int, guards.Wait] = {}
        self.epoch = 0
        self.tried: dict[int, dict[tuple[str, int], int]] = {}  # by thread, call: epoch
        self.fruitless: dict[int, int] = {}  # by thread: epoch of a round in which nothing came

        self.thread_bell, self.loop_bell = Bell(), Bell()

    def start(self) -> None:
        """Run the function in a thread of its own, under asyncio if it is a coroutine function."""
        taps.guard(self)
        live.add(self)
        main = threading.Thread(target=self.main, name=self.name)
        main.run = partial(self.run, main.run)  # type: ignore[method-assign]
        self.enlist(main)
        main.start()

    def main(self) -> None:
        result = self.function(self.listener)
        if inspect.iscoroutine(result):
            asyncio.run(result)

    # --- who belongs to it: called by the guards -------------------------------------------------

    def enlist(self, thread: threading.Thread) -> None:
        """Make `thread`, not yet started, one of the server's."""
        thread.daemon = True  # never keeps the interpreter from leaving
        self.threads.append(thread)

    @contextlib.contextmanager
    def aboard(self) -> Iterator[None]:
        """While it lasts, this thread is one of the server's."""
        guards.servers[threading.get_ident()] = self
        try:
            yield
        finally:
            guards.servers.pop(threading.get_ident(), None)

    def run(self, function: Callable[[], None]) -> None:
        """Call `function`, all that a thread of the server does."""
        with self.aboard():
            try:
                function()
            except BaseException as error:
                self.kept += self.open_sockets()  # for no longer than now would others hold them
                self.fail(error)
        if self.errors:
            self.abandon()

    def give(self, pool: ThreadPoolExecutor, function: Callable) -> Task:
        """What a thread of the pool calls in place of `function`."""
        task = Task(self, function)
        self.queued[task] = pool
        return task

    def open_sockets(self) -> list[socket.socket]:
        """The sockets that the server has opened, the listener among them."""
        found = (ref() for ref in self.sockets.valuerefs())
        return [self.listener, *(sock for sock in found if sock)]

    def serve_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Know of an asyncio loop that runs in one of the server's threads."""
        self.loops[threading.get_ident()] = loop
        if loop.get_exception_handler() is None:
            loop.set_exception_handler(self.handle)

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio would only have logged."""
        if error := context.get("exception"):
            self.fail(error)
        else:
            loop.default_exception_handler(context)

    # --- errors ----------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """Keep what a thread raised, and close what it held, so that no client waits for it."""
        if self.expects(error):
            return
        if isinstance(error, SystemExit):
            words = f"{self.name}() called exit({error.code!r}): let it return instead"
            error = RuntimeError(words).with_traceback(error.__traceback__)
        self.errors.append(_in_own_words(error))
        for sock in _held(error.__traceback__):
            if id(sock) in self.sockets:
                sock.close()

    def expects(self, error: BaseException) -> bool:
        """Whether `error` is only how a server ends that was told to."""
        ways = (ServerStopped, asyncio.CancelledError, CancelledError, OSError)
        return self.ending and isinstance(error, ways)

    def abandon(self) -> None:
        """After an error: close what no thread is left to serve."""
        others = [each for each in self.alive() if each is not threading.current_thread()]
        if self.threads[0] not in others:
            self.listener.close()
        if not others and not self.queued:
            for sock in self.open_sockets():
                sock.close()

    # --- at rest ---------------------------------------------------------------------------------

    def bell(self) -> int:
        """The descriptor that tells this thread to stop."""
        return self.own_bell().wake.fileno()

    def own_bell(self) -> Bell:
        return self.loop_bell if threading.get_ident() in self.loops else self.thread_bell

    def check(self) -> None:
        """Raise in this thread if it shall stop."""
        if not self.own_bell().rung:
            return
        self.told[threading.get_ident()] += 1
        if (deaf := self.told[threading.get_ident()] - DEAF) > 0:
            _raise_later(deaf % 50)
        raise ServerStopped

    def missed(self, call: tuple[str, int]) -> None:
        """This thread made a call in which nothing came.

        The same call twice, with nothing but such calls between, is a round: the thread asked all
        that it asks, and nothing was there.
        """
        tried = self.tried.setdefault(threading.get_ident(), {})
        if tried.get(call) == self.epoch:
            self.fruitless[threading.get_ident()] = self.epoch
        tried[call] = self.epoch

    def moved(self) -> None:
        """This thread made a call in which something came, or that failed."""
        self.tried.pop(threading.get_ident(), None)
        self.fruitless.pop(threading.get_ident(), None)

    def state(self, deadline: float) -> dict[int | None, object] | None:
        """What each thread rests in, None if one goes on by itself."""
        if any(self.can_begin(pool) for pool in tuple(self.queued.values())):
            return None
        frames, state = sys._current_frames(), dict[int | None, object]()
        for thread in self.alive():
            rest = self.rest(thread.ident or 0, frames.get(thread.ident or 0), deadline)
            if rest is None and thread is not threading.current_thread():
                return None
            state[thread.ident] = rest
        return state

    def can_begin(self, pool: ThreadPoolExecutor) -> bool:
        """Whether a thread of `pool` is free for what is queued."""
        return any(thread not in self.threads for thread in tuple(pool._threads))

    def rest(self, thread: int, frame: FrameType | None, deadline: float) -> object | None:
        """What a thread waits for that only somebody else can bring, None if for nothing."""
        round_of_none = self.fruitless.get(thread) == self.epoch or None
        if wait := self.waits.get(thread):
            if wait.pairs and guards.ready(wait.pairs, 0):
                return None
            return round_of_none or (wait if _lasts(wait, deadline) else None)
        return round_of_none or (_blocked_by(frame) if frame else None)

    def alive(self) -> list[threading.Thread]:
        """The server's threads that have not ended."""
        return [thread for thread in tuple(self.threads) if thread.is_alive()]

    # --- the end ---------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every thread, close every socket. ServerStillRunning if a thread cannot be ended."""
        if threading.current_thread() in self.threads:  # its handle was collected here, by chance
            with guards.unowned():
                threading.Thread(target=self.stop).start()
        elif not self.ending:
            self.ending = True
            try:
                self.end()
            finally:
                self.close()
            if stubborn := self.alive():
                raise ServerStillRunning(self.report(stubborn[0]))

    def end(self) -> None:
        """The three stages; being interrupted in one leads to the next."""
        now = taps.clock()
        self.kept += self.open_sockets()  # whose owners are not to blame if they end without close
        for thread in self.alive():
            taps.note(taps.Event("stop", 0, now, now, thread.ident or 0, None))
        try:
            self.end_loops()
        finally:
            self.thread_bell.ring()
            self.loop_bell.ring()
            try:
                self.end_waits()
                self.join(PATIENCE)
            finally:
                if self.alive():
                    self.insist()
                self.end_pools()

    def end_loops(self) -> None:
        """End asyncio code in its own way: its clients leave, then its tasks are cancelled."""
        if not any(loop.is_running() for loop in self.loops.values()):
            return
        for sock in self.open_sockets()[1:]:
            with contextlib.suppress(OSError):
                if sock.getsockname()[1:2] == self.listener.getsockname()[1:2]:
                    taps.unseen("shutdown")(sock, socket.SHUT_RD)
        for loop in self.loops.values():
            with contextlib.suppress(RuntimeError):  # that one is closed
                loop.call_soon_threadsafe(_after, TURNS, self.cancel_tasks, loop)
        self.join(PATIENCE)

    def cancel_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        _after(TURNS, _abort_transports, loop)
        self.thread_bell.ring()  # the loop will wait for threads that work for it

    def end_waits(self) -> None:
        """End threads that wait for others, not for sockets."""
        frames = sys._current_frames()
        for thread in self.alive():
            if _blocked_by(frames.get(thread.ident or 0)):
                _throw(thread, ServerStopped)

    def join(self, seconds: float) -> bool:
        """Whether every thread ended within `seconds`; threads started meanwhile count too."""
        deadline = time.monotonic() + seconds
        while (alive := self.alive()) and (left := deadline - time.monotonic()) > 0:
            alive[0].join(min(left, 0.002))  # a thread of a pool may live on after its task
        return not self.alive()

    def insist(self) -> None:
        """Wake raw calls by closing the conversation, and raise in code that makes no calls."""
        deadline = time.monotonic() + TIMEOUT - PATIENCE
        for sock in self.open_sockets():
            _rouse(sock)
        while not self.join(0.05) and time.monotonic() < deadline:
            for thread in self.alive():
                _throw(thread, ServerStopped)

    def end_pools(self) -> None:
        """End the threads of the server's own pools, which rest between tasks."""
        for own in self.pools:
            own.shutdown(wait=False, cancel_futures=True)
            self.threads += own._threads
        self.join(PATIENCE)

    def close(self) -> None:
        """Close what the server left open and forget it."""
        bells = (self.thread_bell.signal, self.thread_bell.wake)
        bells += (self.loop_bell.signal, self.loop_bell.wake)
        for sock in {*self.kept, *self.open_sockets(), *bells}:
            taps.unseen("close")(sock)
        for cleanup in self.cleanups:
            cleanup()
        for thread, crew in tuple(guards.servers.items()):
            if crew is self and thread not in {each.ident for each in self.alive()}:
                del guards.servers[thread]
        self.errors += [_in_own_words(task.error) for task in self.lost if not task.asked_for]
        self.kept.clear()
        taps.forget(self)
        live.discard(self)

    def report(self, thread: threading.Thread) -> str:
        """Where a thread is that does not end, in words for the reader."""
        frame = sys._current_frames().get(thread.ident or 0)
        stack = traceback.extract_stack(frame) if frame else []
        lines = [line for line in stack if line.filename not in MACHINERY]
        place = f" It is in {lines[-1].name}(), line {lines[-1].lineno}: {lines[-1].line}"
        return (
            f"{self.name}() is still running: it ignored every signal to stop for {TIMEOUT:g} s."
            f"{place if lines else ''}\nIts sockets are closed. Look for a long sleep, or for an "
            "`except:` that catches everything inside an endless loop. Restart the kernel to be "
            "rid of it."
        )


class Task:
    """A function that a server gave to a pool, and what it raised."""

    def __init__(self, crew: Crew, function: Callable) -> None:
        self.crew, self.function = crew, function
        self.error: BaseException = ServerStopped()
        self.asked_for = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        crew, thread = self.crew, threading.current_thread()
        crew.threads.append(thread)
        crew.queued.pop(self, None)
        try:
            with crew.aboard():
                return self.function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs  # which the traceback would keep alive, and a client waiting
            self.fail(error)
            if isinstance(error, ServerStopped):  # as such it would end who waits for the task
                raise CancelledError from None
            raise
        finally:
            crew.threads.remove(thread)

    def fail(self, error: BaseException) -> None:
        """Keep what was raised, but not the sockets in its traceback: no client waits for it."""
        if not self.crew.expects(error):
            self.error = error
            self.crew.lost.append(self)
        traceback.clear_frames(error.__traceback__)

    def belongs_to(self, future: Future | None) -> None:
        """Find out whether anybody asks `future` for the error: then it is not lost."""
        if future is None:
            self.crew.queued.pop(self, None)
        else:
            future.add_done_callback(lambda _: self.crew.queued.pop(self, None))  # if cancelled
            for name in ("result", "exception"):
                setattr(future, name, partial(self.ask, getattr(future, name)))

    def ask(self, method: Callable, *args: Any, **kwargs: Any) -> Any:
        self.asked_for = True
        return method(*args, **kwargs)


MACHINERY = {
    __file__,
    *taps.WRAPPERS,
    threading.__file__,
    contextlib.__file__,
    pool.__file__,
    asyncio.runners.__file__,
    asyncio.base_events.__file__,
}


def settle() -> None:
    """Wait until every background server has finished what its clients have sent so far.

    That is: each of their threads waits for somebody else, seen twice with nothing moved between.
    Gives up after SETTLE seconds.
    """
    deadline = time.monotonic() + SETTLE
    before = None
    while (states := _rest(deadline)) is not None and states != before:
        before = states


def _rest(deadline: float) -> list[dict] | None:
    """What every thread of every server rests in, once all do; None at the deadline."""
    for crew in tuple(live):
        crew.epoch += 1
    while time.monotonic() < deadline:
        time.sleep(0.001)
        states = [crew.state(deadline) for crew in tuple(live)]
        found = [state for state in states if state is not None]
        if len(found) == len(states):
            return found
    return None


def _lasts(wait: guards.Wait, deadline: float) -> bool:
    """Whether nobody shall wait for the end of `wait`."""
    if wait.timeout is None or (wait.pairs and wait.timeout >= LONG):
        return True
    return wait.began + wait.timeout > deadline


_JOINS = {
    getattr(threading.Thread, name).__code__
    for name in ("join", "_wait_for_tstate_lock")
    if hasattr(threading.Thread, name)
}


_START = threading.Thread.start.__code__


def _starts_another(frame: FrameType | None) -> bool:
    """Whether a thread is about to start another, which will soon let it go on.

    Until that one runs, Python 3.11 takes it for its parent, and would raise in it what is meant
    for the parent: then it dies unborn.
    """
    while frame and frame.f_code is not _START:
        frame = frame.f_back
    return frame is not None


def _blocked_by(frame: FrameType | None) -> object | None:
    """What keeps a thread waiting inside `threading`: a lock of a Condition that was not notified
    (Event, Semaphore and Queue are made of these), or a thread that has not ended."""
    if _starts_another(frame):
        return None
    if frame and frame.f_code is threading.Condition.wait.__code__:
        waiter, timeout = frame.f_locals.get("waiter"), frame.f_locals["timeout"]
        waits = waiter in frame.f_locals["self"]._waiters
        return waiter if waits and (timeout is None or timeout >= LONG) else None
    if frame and frame.f_code in _JOINS and frame.f_locals["self"].is_alive():
        return frame.f_locals["self"]
    return None


def _throw(thread: threading.Thread, error: type[BaseException]) -> None:
    """Raise `error` in `thread` at its next line of Python; wake it if a Condition waits."""
    frame = sys._current_frames().get(thread.ident or 0)
    if _starts_another(frame):
        return
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(error)
    )
    waiter = _blocked_by(frame)
    if waiter and not isinstance(waiter, threading.Thread):
        with contextlib.suppress(RuntimeError):  # notified by now
            waiter.release()  # type: ignore[attr-defined]


def _raise_later(lines: int) -> None:
    """Raise once more in this thread, `lines` lines of its own code from now.

    An `except:` that catches everything is left by an exception in its own handler, or between two
    rounds of the loop around it: some number of lines hits one of these.
    """

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename in MACHINERY or _is_called_by_nobody(frame):
            return None
        lines -= event == "line"
        if lines < 0:
            raise ServerStopped
        return trace

    sys.settrace(trace)
    for frame, _ in traceback.walk_stack(sys._getframe()):
        frame.f_trace = trace


def _is_called_by_nobody(frame: FrameType) -> bool:
    """Whether Python calls this when an object goes: what is raised there goes nowhere."""
    return frame.f_code.co_filename == weakref.__file__ or frame.f_code.co_name == "__del__"


def _after(turns: int, act: Callable, loop: asyncio.AbstractEventLoop) -> None:
    """Call `act(loop)` so many turns of the loop from now."""
    if turns:
        loop.call_soon(_after, turns - 1, act, loop)
    else:
        act(loop)


def _abort_transports(loop: asyncio.AbstractEventLoop) -> None:
    """Python 3.12 waits for clients to leave when an asyncio server is closed."""
    for transport in tuple(getattr(loop, "_transports", {}).values()):
        transport.abort()


def _in_own_words(error: BaseException) -> BaseException:
    """`error` with nothing in its traceback but the reader's code, and what that calls."""
    taps.conceal(error)
    trace = error.__traceback__
    while trace and trace.tb_next and trace.tb_frame.f_code.co_filename in MACHINERY:
        trace = trace.tb_next
    return error.with_traceback(trace)


def _held(trace: TracebackType | None) -> Iterator[socket.socket]:
    """The sockets in the local variables of a traceback, and in the attributes of these."""
    for frame, _ in traceback.walk_tb(trace):
        for value in list(frame.f_locals.values()):
            parts = getattr(value, "__dict__", {}).values()
            yield from (each for each in (value, *parts) if isinstance(each, socket.socket))


def _rouse(sock: socket.socket) -> None:
    """Wake calls that block on `sock` outside the guards, as far as the platform lets us."""
    with contextlib.suppress(OSError):
        taps.unseen("shutdown")(sock, socket.SHUT_RDWR)
    with (
        contextlib.suppress(OSError),
        contextlib.closing(_socket.socket(sock.family, sock.type)) as caller,
    ):
        caller.settimeout(1)
        caller.connect(reachable(sock))
        if sock.type == socket.SOCK_DGRAM:
            caller.send(b"")


def reachable(listener: socket.socket) -> Any:
    """The address that a client on this machine connects to."""
    name = listener.getsockname()
    if listener.family == socket.AF_INET:
        return ("127.0.0.1" if name[0] == "0.0.0.0" else name[0], name[1])
    if listener.family == socket.AF_INET6:
        return ("::1" if name[0] == "::" else name[0], name[1])
    return name


def stop_all() -> None:
    """Stop every server: the interpreter leaves, and would wait for threads of pools for ever."""
    for crew in tuple(live):
        with contextlib.suppress(ServerStillRunning):
            crew.stop()


threading._register_atexit(stop_all)  # type: ignore[attr-defined]
