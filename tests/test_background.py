"""background(): any server function runs beside the notebook, and ends for certain."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import functools
import gc
import os
import queue
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import servers
from servers import DATAGRAM, STREAM, serve_client, serve_forever, serve_threads

from socketlab import background, crew, taps
from socketlab.background import Background, ServerStillRunning

UDP = socket.SOCK_DGRAM
UNIX = getattr(socket, "AF_UNIX", None)
FAMILIES = [socket.AF_INET, socket.AF_INET6, *([UNIX] if UNIX else [])]
CERTIFICATE = Path(__file__).with_name("localhost.pem")
GONE = (b"", ConnectionResetError)  # what a client sees of a server that ended


def held() -> tuple[set[int | None], list[str]]:
    """The threads and the descriptors of this process."""
    table = Path("/proc/self/fd")
    numbers = os.listdir(table) if table.is_dir() else []
    paths = [str(table / number) for number in numbers if os.path.lexists(table / number)]
    return {t.ident for t in threading.enumerate()}, sorted(map(os.readlink, paths))


@pytest.fixture(autouse=True)
def nothing_is_left(request) -> Iterator[None]:
    """No thread, no descriptor, no server and no wrapper outlives a test."""
    before = held()
    yield
    if held() != before or "carelessly" in request.node.name:
        gc.collect()
    assert held() == before
    assert (crew.live, taps._found) == (set(), {})


def client(server: Background) -> socket.socket:
    """A connected client of `server`, with a deadline."""
    sock = socket.socket(server.listener.family)
    sock.settimeout(60)
    sock.connect(server.address)
    return sock


def ask(sock: socket.socket, data: bytes = b"hello") -> bytes:
    sock.sendall(data)
    return sock.recv(1024)


def last_word(sock: socket.socket) -> bytes | type[Exception]:
    """What the next recv() gives or raises."""
    try:
        return sock.recv(1024)
    except OSError as error:
        return type(error)


def careless(test: Callable) -> Callable:
    """What a careless server never closed may be told of, and is collected in the same test."""
    for said in ("unclosed", "loop is closed"):
        test = pytest.mark.filterwarnings(f"ignore:{said}:ResourceWarning")(test)
    return test


def end_of(error: BaseException) -> traceback.FrameSummary:
    """The line where `error` was raised, as the reader sees it."""
    return traceback.extract_tb(error.__traceback__)[-1]


# --- every shape of server ----------------------------------------------------------------------


@pytest.fixture(params=STREAM)
def shape(request) -> Callable[[socket.socket], None]:
    return STREAM[request.param]


def test_every_shape_ends_while_nobody_calls(shape) -> None:
    with background(shape) as server:
        address = server.address
        assert server.running
    assert not server.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    socket.create_server(address).close()  # the port is free


@careless
def test_every_shape_answers_and_ends_while_clients_are_idle(shape) -> None:
    with contextlib.ExitStack() as stack:
        with background(shape) as server:
            socks = [stack.enter_context(client(server)) for _ in range(3)]
            assert ask(socks[0]) == b"hello"
        assert not server.running
        assert last_word(socks[0]) == b""
        assert {last_word(sock) for sock in socks[1:]} <= set(GONE)


@careless
def test_every_shape_answers_in_turn_and_ends_when_clients_have_left(shape) -> None:
    with background(shape) as server:
        for word in (b"one", b"two"):
            with client(server) as sock:
                assert ask(sock, word) == word
    assert not server.running


@pytest.mark.parametrize("name", DATAGRAM)
def test_datagrams(name: str) -> None:
    with background(DATAGRAM[name], type=UDP) as server, socket.socket(type=UDP) as sock:
        sock.settimeout(60)
        for word in (b"one", b"", b"two"):
            sock.sendto(word, server.address)
            assert sock.recvfrom(1024) == (word, server.address)
    assert not server.running


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("server", [serve_threads, servers.serve_async, servers.serve_selectors])
def test_families(family: int, server) -> None:
    with background(server, family=family) as running, client(running) as sock:
        assert ask(sock) == b"hello"
        assert running.listener.family == family
        place = running.address
    assert family != UNIX or not Path(place).parent.exists()


@pytest.mark.parametrize("family", [socket.AF_INET6, UNIX])
def test_datagrams_of_other_families(family: int | None) -> None:
    if family is None:
        pytest.skip("this system has no Unix sockets")
    with background(servers.serve_datagrams, family=family, type=UDP) as server:
        with socket.socket(family, UDP) as sock, contextlib.ExitStack() as stack:
            sock.settimeout(60)
            if family == UNIX:  # a sender without a name gets no answer
                name = f"{server.address}-client"
                sock.bind(name)
                stack.callback(os.unlink, name)
            sock.sendto(b"hello", server.address)
            assert sock.recv(1024) == b"hello"


def test_tls() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def serve_tls(listener: socket.socket) -> None:
        with context.wrap_socket(listener, server_side=True) as secure:
            serve_threads(secure)

    trust = ssl.create_default_context(cafile=CERTIFICATE)
    with background(serve_tls) as server, client(server) as plain:
        with trust.wrap_socket(plain, server_hostname="localhost") as sock:
            assert ask(sock) == b"hello"
    assert not server.running


def test_what_was_sent_is_answered_before_the_end() -> None:
    answered = []

    def serve_count(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn:
            while data := conn.recv(1):
                answered.append(data)

    with background(serve_count) as server, client(server) as sock:
        sock.sendall(bytes(2000))
    assert len(answered) == 2000


def test_a_server_that_sends_without_end() -> None:
    def serve_flood(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn:
            while True:
                conn.sendall(bytes(1 << 20))

    with contextlib.ExitStack() as stack:
        with background(serve_flood) as server:
            sock = stack.enter_context(client(server))
            assert sock.recv(1) == b"\0"
        assert not server.running


def test_a_server_that_computes_without_end(monkeypatch) -> None:
    """It makes no socket call and never waits: it is interrupted in its own code."""
    monkeypatch.setattr(crew, "SETTLE", 0.02)
    monkeypatch.setattr(crew, "PATIENCE", 0.02)
    begun = threading.Event()

    def serve_sums(listener: socket.socket) -> None:
        total = 0
        while True:
            total += 1
            begun.set()

    with background(serve_sums) as server:
        begun.wait()
    assert not server.running


def test_a_server_blocked_in_a_raw_call(monkeypatch) -> None:
    """What is no method of socket.socket is not guarded: the end of its stream wakes it."""
    monkeypatch.setattr(crew, "SETTLE", 0.02)
    monkeypatch.setattr(crew, "PATIENCE", 0.02)
    ended = []

    def serve_raw(listener: socket.socket) -> None:
        with listener.accept()[0] as conn:
            conn.setblocking(True)
            ended.append(os.read(conn.fileno(), 1024))

    if os.name != "posix":
        pytest.skip("os.read() reads no sockets here")
    with contextlib.ExitStack() as stack, background(serve_raw) as server:
        stack.enter_context(client(server))
    assert ended == [b""]


def test_threads_started_while_it_stops_are_ended_too() -> None:
    """A stop may come while a thread is about to start another."""
    for _ in range(20):
        with background(servers.serve_many_accepts) as server, client(server) as sock:
            assert ask(sock) == b"hello"
        assert not server.running


@pytest.mark.parametrize("wait", ["event", "queue", "condition", "join", "sleep", "barrier"])
def test_a_thread_that_waits_for_another(wait: str) -> None:
    waits: dict[str, Callable] = {
        "event": threading.Event().wait,
        "queue": queue.Queue().get,
        "condition": functools.partial(_wait_for, threading.Condition()),
        "join": functools.partial(_join_forever, threading.Event()),
        "sleep": lambda: time.sleep(3600),
        "barrier": threading.Barrier(2).wait,
    }
    with background(lambda listener: waits[wait](), name="waits") as server:
        assert server.running
    assert not server.running


def _wait_for(condition: threading.Condition) -> None:
    with condition:
        condition.wait()


def _join_forever(event: threading.Event) -> None:
    thread = threading.Thread(target=event.wait)
    thread.start()
    thread.join()


# --- handles ------------------------------------------------------------------------------------


def test_several_at_once_and_nested() -> None:
    def serve_through(listener: socket.socket) -> None:
        """Ask another server, through `address`."""
        while True:
            conn, _ = listener.accept()
            with conn, socket.create_connection(address) as upstream:
                while data := conn.recv(1024):
                    conn.sendall(ask(upstream, data))

    with background(serve_forever) as inner:
        address = inner.address
        with background(serve_through) as outer, background(serve_forever) as other:
            assert len({inner.address, outer.address, other.address}) == 3
            with client(outer) as sock, client(other) as beside:
                assert (ask(sock), ask(beside)) == (b"hello", b"hello")
        assert inner.running
        assert not outer.running
        assert not other.running
    assert not inner.running


def test_stop_once_and_twice_and_inside_with() -> None:
    server = background(serve_forever)
    with client(server) as sock:
        assert ask(sock) == b"hello"
        server.stop()
        assert sock.recv(1) == b""
    server.stop()
    with server:
        server.stop()
    assert repr(server) == "<server serve_forever: stopped>"


def test_a_handle_that_is_dropped_ends_its_server() -> None:
    server = background(serve_forever)
    with client(server) as sock:
        assert ask(sock) == b"hello"
        del server
        assert sock.recv(1) == b""


def test_a_handle_dropped_by_its_own_server() -> None:
    handles = []
    go = threading.Event()

    def serve_until_dropped(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn:
            go.wait()
            handles.clear()
            conn.recv(1)

    handles.append(background(serve_until_dropped))
    (running,) = crew.live
    with client(handles[0]) as sock:
        go.set()
        assert sock.recv(1) == b""
    running.threads[0].join(60)
    while crew.live:  # another thread is closing what is left
        time.sleep(0.001)


def test_a_server_that_returns_by_itself() -> None:
    with background(lambda listener: serve_client(listener.accept()[0]), name="serve_one") as one:
        with client(one) as sock:
            assert ask(sock) == b"hello"
    assert (one.error, repr(one)) == (None, "<server serve_one: stopped>")


def test_repr_and_error_while_it_runs() -> None:
    with background(serve_forever) as server:
        assert repr(server) == "<server serve_forever: running>"
        assert server.error is None


def test_names() -> None:
    class Serves:
        def __call__(self, listener: socket.socket) -> None:
            serve_forever(listener)

    partial = functools.partial(functools.partial(servers.serve_with, timeout=None), None)
    assert background.__globals__["_name_of"](partial) == "serve_with"
    for server, name in ((Serves(), "Serves"), (lambda listener: None, "<lambda>")):
        with background(server) as running:
            assert running.name == name
    with background(serve_forever, name="echo") as running:
        assert running.name == "echo"
        assert "echo" in {thread.name for thread in threading.enumerate()}


def test_a_listener_of_ones_own() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1)
    with background(serve_forever, listener) as server:
        assert server.address == listener.getsockname()
        with client(server) as sock:
            assert ask(sock) == b"hello"
    assert listener.fileno() < 0


def test_host_and_port() -> None:
    with background(serve_forever, host="") as server:
        assert server.address[0] == "127.0.0.1"
        assert server.listener.getsockname()[0] == "0.0.0.0"
    with background(serve_forever, host="::") as server:
        assert server.address[0] == "::1"
    with background(serve_forever, host="localhost", backlog=1) as server:
        port = server.address[1]
    with background(serve_forever, port=port) as server, client(server) as sock:
        assert ask(sock) == b"hello"
        assert server.address == ("127.0.0.1", port)
    with background(serve_forever, port=port) as server:  # at once again
        assert server.address == ("127.0.0.1", port)


# --- errors -------------------------------------------------------------------------------------


def divide(conn: socket.socket) -> None:
    """Answers once, then fails in this line."""
    conn.sendall(conn.recv(1024))
    1 / len(conn.recv(1024))


def serve_broken(listener: socket.socket) -> None:
    while True:
        divide(listener.accept()[0])


def serve_broken_threads(listener: socket.socket) -> None:
    while True:
        threading.Thread(target=divide, args=(listener.accept()[0],)).start()


def serve_broken_pool(listener: socket.socket) -> None:
    with ThreadPoolExecutor(2) as pool:
        while True:
            pool.submit(divide, listener.accept()[0])


def serve_broken_socketserver(listener: socket.socket) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            divide(self.request)

    with socketserver.ThreadingTCPServer(listener.getsockname(), Handler, False) as server:
        server.socket.close()
        server.socket = listener
        server.serve_forever()


async def serve_broken_async(listener: socket.socket) -> None:
    async def divide(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(1024))
        try:
            1 / len(await reader.read(1024))
        finally:
            writer.close()

    async with await asyncio.start_server(divide, sock=listener) as server:
        await server.serve_forever()


@careless
@pytest.mark.parametrize(
    "server",
    [
        serve_broken,
        serve_broken_threads,
        serve_broken_pool,
        serve_broken_socketserver,
        serve_broken_async,
    ],
)
def test_the_servers_own_exception_is_raised_at_its_own_line(server) -> None:
    with pytest.raises(ZeroDivisionError) as caught, background(server) as running:
        with client(running) as sock:
            assert ask(sock) == b"hello"
            sock.shutdown(socket.SHUT_WR)
            assert last_word(sock) in GONE  # nobody waits for a server that failed
    where = end_of(caught.value)
    assert (where.name, where.filename) == ("divide", __file__)
    assert isinstance(running.error, ZeroDivisionError)
    assert repr(running) == f"<server {server.__name__}: failed>"


def test_an_error_of_a_socket_call_ends_in_the_readers_line() -> None:
    def serve_closed(listener: socket.socket) -> None:
        listener.close()
        listener.recv(1024)

    with pytest.raises(OSError, match=r"Bad file descriptor|not a socket") as caught:
        background(serve_closed).stop()
    assert end_of(caught.value).line == "listener.recv(1024)"


def test_a_client_that_got_an_error_from_a_failed_server_sees_why() -> None:
    """The server's error is raised, the client's stands before it."""

    def serve_wrong(listener: socket.socket) -> None:
        with listener.accept()[0]:
            raise LookupError("mistake")

    with pytest.raises(LookupError, match="mistake") as caught, background(serve_wrong) as server:
        with client(server) as sock:
            while sock.recv(1) != b"":
                pass
            raise ValueError("no answer")
    assert str(caught.value.__context__) == "no answer"


def test_every_error_is_told() -> None:
    both = threading.Barrier(2)

    def fail(kind: type[Exception]) -> None:
        both.wait()
        raise kind("mistake")

    def serve_two_errors(listener: socket.socket) -> None:
        threads = [threading.Thread(target=fail, args=(k,)) for k in (LookupError, TypeError)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with pytest.raises((LookupError, TypeError)) as caught:
        background(serve_two_errors).stop()
    other = {LookupError: "TypeError", TypeError: "LookupError"}[type(caught.value)]
    words = f"Another thread of serve_two_errors() raised {other}('mistake')"
    assert caught.value.__notes__ == [words]


def test_an_error_that_somebody_asked_for_is_not_lost() -> None:
    answers = []

    def serve_asking(listener: socket.socket) -> None:
        with ThreadPoolExecutor(1) as pool:
            answers.append(pool.submit(int, "one").exception())

    background(serve_asking).stop()
    assert isinstance(answers[0], ValueError)


@pytest.mark.parametrize("wrong", ["recv", "recv_into", "accept"])
def test_a_call_on_the_wrong_socket_fails_instead_of_waiting(wrong: str) -> None:
    """recv() on the listener, accept() on a connection."""

    def serve_wrong(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn:
            if wrong == "accept":
                conn.accept()
            else:
                getattr(listener, wrong)(1024 if wrong == "recv" else bytearray(1024))

    with pytest.raises(OSError) as caught, background(serve_wrong) as server:  # noqa: PT011
        with client(server) as sock:
            assert sock.recv(1024) == b""
    assert end_of(caught.value).name == {"accept": "accept"}.get(wrong, "serve_wrong")


def test_exit_in_a_server_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"serve_exit\(\) called exit\(3\): let it return"):

        def serve_exit(listener: socket.socket) -> None:
            sys.exit(3)

        background(serve_exit).stop()


def test_an_error_after_the_stop_is_told() -> None:
    def serve_clumsy(listener: socket.socket) -> None:
        try:
            listener.accept()
        finally:
            raise KeyError("clumsy")

    with pytest.raises(KeyError, match="clumsy"):
        background(serve_clumsy).stop()


def test_a_server_cannot_stop_itself() -> None:
    handle = []

    def serve_until_told(listener: socket.socket) -> None:
        with listener.accept()[0]:
            handle[0].stop()

    with pytest.raises(
        RuntimeError, match=r"serve_until_told\(\) cannot stop itself: let the fun"
    ):
        with background(serve_until_told) as server:
            handle.append(server)
            with client(server) as sock:
                assert last_word(sock) in GONE


# --- interrupts, and servers that will not end --------------------------------------------------


def serve_interrupting(listener: socket.socket) -> None:
    """Answers its stop with Ctrl-C."""
    try:
        serve_forever(listener)
    finally:
        _thread.interrupt_main()


@pytest.mark.parametrize("clients", [0, 1])
def test_an_interrupt_while_leaving_leaves_nothing(clients: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        with background(serve_interrupting) as server, contextlib.ExitStack() as stack:
            for _ in range(clients):
                ask(stack.enter_context(client(server)))
    assert not server.running


def test_an_interrupt_while_it_settles(monkeypatch) -> None:
    def interrupt() -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys.modules["socketlab.background"], "settle", interrupt)
    with pytest.raises(KeyboardInterrupt), background(serve_forever) as server:
        pass
    assert not server.running


def test_an_interrupt_in_the_body() -> None:
    with pytest.raises(KeyboardInterrupt), background(serve_forever) as server:
        with client(server) as sock:
            ask(sock)
            signal.raise_signal(signal.SIGINT)
    assert not server.running


def test_a_server_that_ignores_everything_is_reported_by_name_and_line(monkeypatch) -> None:
    for limit, seconds in {"SETTLE": 0.02, "PATIENCE": 0.02, "TIMEOUT": 0.1}.items():
        monkeypatch.setattr(crew, limit, seconds)
    lock = threading.Lock()
    lock.acquire()

    def serve_deaf(listener: socket.socket) -> None:
        lock.acquire()  # a raw lock cannot be interrupted

    server = background(serve_deaf)
    (running,) = crew.live
    line = serve_deaf.__code__.co_firstlineno + 1
    with pytest.raises(ServerStillRunning) as caught:
        server.stop()
    said = str(caught.value)
    assert said.startswith(
        "serve_deaf() is still running: it ignored every signal to stop for 0.1"
    )
    assert f"It is in serve_deaf(), line {line}: lock.acquire()" in said
    assert "Restart the kernel" in said
    assert server.listener.fileno() < 0
    lock.release()
    running.threads[0].join(60)


def test_the_interpreter_ends_with_servers_running() -> None:
    code = (
        "import socket, servers; from socketlab import background\n"
        "kept = [background(each) for each in servers.STREAM.values()]\n"
        "socks = [socket.create_connection(each.address) for each in kept]\n"
        "print(len(kept))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(STREAM)}\n", "")


# --- bad input ----------------------------------------------------------------------------------


def generator(listener):
    yield listener


async def coroutine(listener):
    pass


def closed() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0))
    sock.close()
    return sock


BAD = {
    "called": (TypeError, lambda: background(None), "takes the server function itself, not None"),
    "coroutine": (TypeError, lambda: background(coroutine(None)), "without calling it"),
    "generator": (TypeError, lambda: background(generator), "is a generator"),
    "no argument": (TypeError, lambda: background(lambda: None), "must take one argument, the li"),
    "two": (TypeError, lambda: background(lambda a, b: None), "must take one argument, the list"),
    "a host as listener": (
        TypeError,
        lambda: background(serve_forever, "127.0.0.1"),
        "the listener must be a socket, not '127.0.0.1'; give host= and port= by name",
    ),
    "closed": (ValueError, lambda: background(serve_forever, closed()), "this listener is closed"),
    "family": (ValueError, lambda: background(serve_forever, family=99), "family is 99: use sock"),
    "type": (ValueError, lambda: background(serve_forever, type=3), "type is 3: use socket.SOCK_"),
    "host": (TypeError, lambda: background(serve_forever, host=1), "host is 1: use a string such"),
    "port text": (ValueError, lambda: background(serve_forever, port="80"), "port is '80': use a"),
    "port": (ValueError, lambda: background(serve_forever, port=65536), "port is 65536: use a wh"),
    "backlog": (TypeError, lambda: background(serve_forever, backlog="many"), "backlog is 'many'"),
    "no such host": (
        OSError,
        lambda: background(serve_forever, host="192.0.2.1"),
        "this machine has no such address: use 127.0.0.1 or ::1",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    error, call, words = BAD[name]
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)


def test_a_port_that_is_used() -> None:
    with background(serve_forever) as server:
        with pytest.raises(OSError, match="holds this port: stop it, or let background") as caught:
            background(serve_forever, port=server.address[1])
        assert caught.value.__cause__ is None


def test_a_listener_that_is_not_bound_or_comes_with_an_address() -> None:
    with socket.socket() as sock:
        with pytest.raises(ValueError, match=r"no address yet: call its bind\(\) and listen\(\)"):
            background(serve_forever, sock)
        with pytest.raises(ValueError, match="give a listener, or an address to make one on"):
            background(serve_forever, sock, port=80)


@pytest.mark.skipif(UNIX is None, reason="this system has no Unix sockets")
def test_a_unix_server_has_no_port() -> None:
    with pytest.raises(ValueError, match="has a path, not a host and a port: give neither"):
        background(serve_forever, family=UNIX, port=80)
