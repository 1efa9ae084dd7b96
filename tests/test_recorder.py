"""record(): every call is seen, both ends meet, and the program does not notice."""

from __future__ import annotations

import contextlib
import errno
import select
import selectors
import signal
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

import pytest
import scenarios as on
import servers

from socketlab import background, record, taps
from socketlab.conversation import Span, conversation
from socketlab.recorder import Recording
from socketlab.taps import KEPT

UNIX = getattr(socket, "AF_UNIX", None)
FAMILIES = [socket.AF_INET, socket.AF_INET6, *([UNIX] if UNIX else [])]


def serve_forever(listener: socket.socket) -> None:
    while True:
        conn, _ = listener.accept()
        with conn:
            while data := conn.recv(1024):
                conn.sendall(data)


def serve_threads(listener: socket.socket) -> None:
    def handle(conn: socket.socket) -> None:
        with conn:
            while data := conn.recv(1024):
                conn.sendall(data)

    while True:
        conn, _ = listener.accept()
        threading.Thread(target=handle, args=(conn,)).start()


def connected() -> tuple[socket.socket, socket.socket]:
    """(client, accepted socket) on loopback, both ends held by the test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        return sock, listener.accept()[0]


def calls(recording: Recording, side: str, conn: str = "A") -> list[str]:
    """What one side called on one connection, with what came of it."""
    return [told(span) for span in recording if (span.side, span.conn) == (side, conn)]


def told(span: Span) -> str:
    return " ".join(filter(None, [span.call, str(span.nbytes or ""), span.error]))


def met(recording: Recording, conn: str = "A") -> list[tuple[str, str, int]]:
    """(source, kind, bytes) of each arrow that was met."""
    found = {c.name: c for c in conversation(recording).connections}[conn]
    return [(a.source, a.kind, a.nbytes) for a in found.arrows if a.sent_by and a.met_by]


# --- both ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_both_ends_of_a_stream_are_one_connection(family: int) -> None:
    with record() as recording, background(serve_forever, family=family) as server:
        with socket.socket(family) as sock:
            sock.connect(server.address)
            sock.sendall(b"hello")
            sock.recv(1024)
    assert {span.conn for span in recording if span.call not in ("accept", "select")} == {"A"}
    assert calls(recording, "client") == ["connect", "sendall 5", "recv 5", "close"]
    assert calls(recording, "server") == ["accept", "recv 5", "sendall 5", "recv", "close"]
    assert met(recording) == [
        ("client", "handshake", 0),
        ("client", "data", 5),
        ("server", "data", 5),
        ("client", "end", 0),
    ]


def test_two_servers_one_after_the_other() -> None:
    """The second server's thread may get the first one's ident."""
    with record() as recording:
        for _ in range(3):
            with background(serve_forever) as server:
                with socket.create_connection(server.address) as sock:
                    sock.sendall(b"hello")
                    sock.recv(1024)
    for conn in "ABC":
        assert calls(recording, "server", conn) == [
            "accept", "recv 5", "sendall 5", "recv", "close",
        ]  # fmt: skip


def test_socketpair() -> None:
    with record() as recording:
        a, b = socket.socketpair()
        with a, b:
            a.sendall(b"to b")
            b.recv(10)
            b.sendall(b"a")
            a.recv(10)
    assert met(recording) == [("client", "data", 4), ("server", "data", 1)]


def test_pre_existing_connection() -> None:
    sock, conn = connected()
    with sock, conn:
        with record() as recording:
            sock.sendall(b"hello")
            conn.recv(10)
            conn.sendall(b"hi")
            sock.recv(10)
    assert met(recording) == [("client", "data", 5), ("server", "data", 2)]
    assert len({span.conn for span in recording}) == 1


def test_connected_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        with record() as recording, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(server.getsockname())
            sock.send(b"hello")
            _, address = server.recvfrom(10)
            server.sendto(b"hi", address)
            sock.recv(10)
    assert calls(recording, "client") == ["connect", "send 5", "recv 2", "close"]
    assert calls(recording, "server") == ["recvfrom 5", "sendto 2"]
    assert met(recording) == [("client", "data", 5), ("server", "data", 2)]


# --- the program does not notice ----------------------------------------------------------------


def test_keywords_and_empty_buffers() -> None:
    with record() as recording:
        a, b = socket.socketpair()
        with a, b:
            a.sendall(bytearray())
            a.sendall(memoryview(b""))
            assert a.send(b"") == 0
            a.sendall(b"hello")
            buffer = bytearray(10)
            assert b.recv_into(buffer=buffer, nbytes=2) == 2
            assert b.recv_into(buffer, flags=socket.MSG_PEEK) == 3
            assert b.recvfrom_into(buffer=buffer)[0] == 3
    assert calls(recording, "client") == ["sendall", "sendall", "send", "sendall 5", "close"]
    assert calls(recording, "server") == ["recv_into 2", "peek 3", "recvfrom_into 3", "close"]


def test_results_and_errors_are_those_of_the_calls_themselves() -> None:
    with record():
        a, b = socket.socketpair()
        with a, b:
            assert a.sendall(b"hello") is None
            assert b.recv(3, socket.MSG_PEEK) == b"hel"
            assert b.recv(1024) == b"hello"
            with pytest.raises(TypeError, match="a bytes-like object is required, not 'str'"):
                a.sendall("text")
            with pytest.raises(ValueError, match="negative buffersize in recv"):
                a.recv(-1)
            with pytest.raises(TypeError, match="recv"):
                a.recv()
            assert (a.fileno() >= 0, a.type) == (True, socket.SOCK_STREAM)
        with pytest.raises(OSError, match=r"closed|Bad file descriptor|not a socket"):
            a.recv(1)


@pytest.mark.skipif(not hasattr(socket.socket, "sendmsg"), reason="this system has no sendmsg")
def test_several_buffers_at_once() -> None:
    with record() as recording:
        a, b = socket.socketpair()
        with a, b:
            assert a.sendmsg(iter([b"hel", bytearray(b"lo")])) == 5
            parts = [bytearray(2), bytearray(9)]
            assert b.recvmsg_into(parts)[0] == 5
            assert a.sendmsg([b"bye"]) == 3
            assert b.recvmsg(1024)[0] == b"bye"
    assert calls(recording, "client") == ["sendmsg 5", "sendmsg 3", "close"]
    assert calls(recording, "server") == ["recvmsg_into 5", "recvmsg 3", "close"]
    assert [span.data for span in recording if span.nbytes] == [b"hello", b"hello", b"bye", b"bye"]


def test_dropped_sockets_are_closed_at_once() -> None:
    with record():
        sock, conn = connected()
        with pytest.warns(ResourceWarning, match="unclosed"):
            del sock
        with conn:
            assert conn.recv(1) == b""


def test_stopped_twice_and_with_an_error() -> None:
    def fail() -> None:
        with record() as recording:
            recording.stop().stop()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_connect_in_flight_at_the_end() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as listener,
        contextlib.ExitStack() as s,
    ):
        address = listener.getsockname()
        recording = record()
        s.enter_context(socket.create_connection(address))
        sock = s.enter_context(socket.socket())

        def connect() -> None:
            with contextlib.suppress(OSError):
                sock.connect(address)

        thread = threading.Thread(target=connect)
        thread.start()
        recording.stop()
        listener.accept()[0].close()
        listener.accept()[0].close()
        thread.join()
    assert {span.error for span in recording if span.call == "connect"} <= {"", "unfinished"}
    assert all(span.end >= span.start >= 0 for span in recording)


# --- what a span tells --------------------------------------------------------------------------


def wait_until_in(thread: threading.Thread, call: str) -> None:
    """Until `thread` is inside a call that is being recorded."""
    while True:
        frame = sys._current_frames().get(thread.ident or 0)
        while frame:
            if (frame.f_code.co_filename, frame.f_code.co_name) == (taps.__file__, call):
                return
            frame = frame.f_back


def test_bytes_and_their_number() -> None:
    data = bytes(range(256)) * 4
    with record() as recording:
        a, b = socket.socketpair()
        with a, b:
            for size in (0, 1, KEPT, KEPT + 1, taps.CUT, taps.CUT + 1, len(data)):
                a.sendall(data[:size])
                b.recv(len(data)) if size else None
    sent = [s for s in recording if s.call == "sendall"]
    received = [s for s in recording if s.call == "recv"]
    assert [s.nbytes for s in sent] == [0, 1, 64, 65, 512, 513, 1024]
    assert [s.nbytes for s in received] == [1, 64, 65, 512, 513, 1024]
    assert all(s.data == data[: min(s.nbytes, KEPT)] for s in (*sent, *received))


def test_what_was_sent_is_kept_as_it_was_then() -> None:
    with record() as recording:
        a, b = socket.socketpair()
        with a, b:
            buffer = bytearray(b"hello")
            a.sendall(buffer)
            b.recv_into(buffer)
            buffer[:] = b"xxxxx"
    assert [span.data for span in recording if span.nbytes] == [b"hello", b"hello"]


def test_blocked_time() -> None:
    """A recv() that waits begins before the send that ends it, and ends after that began."""
    with record() as recording:
        a, b = socket.socketpair()
        with a, b:
            thread = threading.Thread(target=b.recv, args=(10,))
            thread.start()
            wait_until_in(thread, "recv")
            a.sendall(b"hello")
            thread.join()
    (recv,) = (span for span in recording if span.call == "recv")
    (send,) = (span for span in recording if span.call == "sendall")
    assert recv.start < send.start < recv.end
    assert recv.nbytes == 5


def test_times_begin_at_zero_and_are_in_order() -> None:
    with record() as recording, background(serve_threads) as server:
        for _ in range(3):
            with socket.create_connection(server.address) as sock:
                sock.sendall(b"hello")
                sock.recv(1024)
    starts = [span.start for span in recording]
    assert starts == sorted(starts)
    assert starts[0] == 0
    assert all(span.end >= span.start for span in recording)


def test_errors_have_the_names_of_errno() -> None:
    with socket.socket() as bound, record() as recording:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
            sock.connect(bound.getsockname())
        with socket.socket() as sock:
            assert sock.connect_ex(bound.getsockname()) == errno.ECONNREFUSED
    for conn in "AB":
        assert calls(recording, "client", conn)[0].endswith("ECONNREFUSED")


def test_errors_of_reading_and_writing() -> None:
    with record() as recording:
        a, b = socket.socketpair()
        with a:
            a.settimeout(0)
            with pytest.raises(BlockingIOError):
                a.recv(1)
            a.settimeout(0.001)
            with pytest.raises(TimeoutError):
                a.recv(1)
            b.close()
            with pytest.raises((BrokenPipeError, ConnectionError)):
                a.sendall(b"x")
    told = calls(recording, "client")
    assert told[0] in ("recv EAGAIN", "recv EWOULDBLOCK")
    assert told[1] == "recv TimeoutError"
    assert told[2] in ("sendall EPIPE", "sendall ECONNABORTED", "sendall ECONNRESET")


def test_a_call_that_is_not_over_at_the_end() -> None:
    with record() as recording:
        a, b = socket.socketpair()
        thread = threading.Thread(target=b.recv, args=(10,))
        thread.start()
        wait_until_in(thread, "recv")
    with a, b:
        a.sendall(b"hello")
        thread.join()
    assert calls(recording, "server") == ["recv unfinished"]


# --- threads, selectors, asyncio, TLS -----------------------------------------------------------


def test_threads_have_names_and_numbers() -> None:
    with record() as recording, background(serve_threads) as server:
        with contextlib.ExitStack() as stack:
            for word in (b"one", b"two"):
                sock = stack.enter_context(socket.create_connection(server.address))
                sock.sendall(word)
                sock.recv(1024)
    of = {(span.conn, span.thread) for span in recording if span.call == "recv"}
    assert of == {("A", "MainThread"), ("B", "MainThread"), ("A", "handle 1"), ("B", "handle 2")}
    assert {s.thread for s in recording if s.call == "accept"} == {"serve_threads"}


@pytest.mark.parametrize("server", [on.serve_selectors, servers.serve_select])
def test_select_belongs_to_the_server_and_to_no_connection(server) -> None:
    recording = on.one_client(server)
    selects = [span for span in recording if span.call == "select"]
    assert len(selects) >= 3
    assert {(s.conn, s.side, s.thread) for s in selects} == {("", "server", server.__name__)}
    assert calls(recording, "server") == ["accept", "recv 5", "sendall 5", "recv", "close"]
    assert len(met(recording)) == 4


def test_select_of_a_client_is_the_clients() -> None:
    with background(serve_forever) as server, record() as recording:
        with socket.create_connection(server.address) as sock:
            sock.sendall(b"hello")
            select.select([sock], [], [])
            sock.recv(1024)
    assert {s.side for s in recording if s.call == "select"} == {"client"}


def test_asyncio_on_both_sides() -> None:
    recording = on.asyncio_both()
    assert calls(recording, "client") == [
        "connect EINPROGRESS", "send 5", "recv 5", "shutdown", "recv", "close",
    ]  # fmt: skip
    assert calls(recording, "server") == ["accept", "recv 5", "send 5", "recv", "close"]
    assert {span.thread for span in recording} == {"MainThread"}
    assert {span.conn for span in recording} == {"A", ""}


def test_tls_is_seen_as_the_program_sees_it() -> None:
    certificate = Path(__file__).with_name("localhost.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=certificate)

    def serve_tls(listener: socket.socket) -> None:
        with context.wrap_socket(listener, server_side=True) as secure:
            serve_forever(secure)

    with record() as recording, background(serve_tls) as server:
        with socket.create_connection(server.address) as plain:
            with trust.wrap_socket(plain, server_hostname="localhost") as sock:
                sock.sendall(b"hello")
                with sock.makefile("rb") as file:
                    assert file.read(5) == b"hello"
    assert calls(recording, "client")[:3] == ["connect", "sendall 5", "recv_into 5"]
    assert calls(recording, "server")[:3] == ["accept", "recv 5", "sendall 5"]
    assert ("server", "data", 5) in met(recording)
    assert {span.conn for span in recording if span.call != "accept"} == {"A"}


def test_datagrams_between_three() -> None:
    recording = on.two_udp()
    for conn in "AB":
        assert calls(recording, "client", conn) == ["connect", "send 5", "recv 5", "close"]
        assert met(recording, conn) == [("client", "data", 5), ("server", "data", 5)]
    assert all(span.datagram for span in recording if span.conn)


# --- what was there before, and what comes after ------------------------------------------------


def test_a_listener_and_a_server_that_were_there_before() -> None:
    with background(serve_forever) as server:
        for _ in range(2):
            with record() as recording:
                with socket.create_connection(server.address) as sock:
                    sock.sendall(b"hello")
                    sock.recv(1024)
            told = calls(recording, "server")
            assert told == ["accept", "recv 5", "sendall 5", "recv", "close"]


def test_names_imported_and_classes_made_before() -> None:
    class Mine(socket.socket):
        pass

    plain, made = socket.socket, Mine
    with background(serve_forever) as server, record() as recording:
        for kind in (plain, made):
            with kind() as sock:
                sock.connect(server.address)
                sock.sendall(b"hello")
                assert type(sock) is kind
                sock.recv(1024)
    for conn in "AB":
        assert calls(recording, "client", conn) == ["connect", "sendall 5", "recv 5", "close"]


def test_a_copy_of_a_socket_is_the_same_end() -> None:
    with background(serve_forever) as server, record() as recording:
        with socket.create_connection(server.address) as sock:
            with sock.dup() as copy, copy.makefile("rwb", buffering=0) as file:
                file.write(b"hello")
                file.read(5)
    assert {span.conn for span in recording if span.conn} == {"A"}
    assert calls(recording, "client")[:3] == ["connect", "send 5", "recv_into 5"]


def test_a_recording_inside_another() -> None:
    with record() as outer:
        a, b = socket.socketpair()
        with a, b:
            a.sendall(b"one")
            with record() as inner:
                c, d = socket.socketpair()
                with c, d:
                    c.sendall(b"three")
                    d.recv(10)
            b.recv(10)
    assert met(inner) == [("client", "data", 5)]
    assert met(outer, "A") == [("client", "data", 3)]
    assert met(outer, "B") == [("client", "data", 5)]


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no SIGUSR1")
def test_a_call_in_the_middle_of_another() -> None:
    """A signal handler uses the very socket that the main thread waits for."""
    with record() as recording:
        a, b = socket.socketpair()
        awake = threading.Event()

        def wake(*_: object) -> None:
            if not awake.is_set():
                awake.set()
                b.sendall(b"awake")

        before = signal.signal(signal.SIGUSR1, wake)
        try:
            main = threading.main_thread()

            def rouse() -> None:
                wait_until_in(main, "recv")
                while not awake.wait(0.01):  # a signal just before the system call does not end it
                    signal.pthread_kill(main.ident, signal.SIGUSR1)

            thread = threading.Thread(target=rouse)
            with a, b:
                thread.start()
                assert a.recv(10) == b"awake"
                thread.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert met(recording) == [("server", "data", 5)]


def tapped() -> list[object]:
    """Everything that a recording replaces."""
    owners = [socket.socket, ssl.SSLSocket, socket, select, time, threading.Thread, *selecting()]
    return [dict(vars(owner)) for owner in owners]


def selecting() -> list[type]:
    return [cls for cls in vars(selectors).values() if isinstance(cls, type)]


def test_everything_is_put_back() -> None:
    before = tapped()
    with record():
        assert tapped() != before
        with background(serve_forever), record():
            pass
        assert tapped() != before
    assert tapped() == before
    with pytest.raises(ZeroDivisionError), record():
        raise ZeroDivisionError
    assert tapped() == before
    recording = record()
    del recording
    assert tapped() == before


def test_a_server_that_outlives_the_recording() -> None:
    recording = record()
    with background(serve_forever) as server:
        recording.stop()
        with socket.create_connection(server.address) as sock:
            sock.sendall(b"hello")
            assert sock.recv(1024) == b"hello"
    assert calls(recording, "server") == []


def test_the_end_waits_for_what_the_server_has_not_done_yet() -> None:
    """What was sent before the end is in the recording, though nobody waited for the server."""
    with background(on.serve_selectors) as server:
        with socket.create_connection(server.address) as sock:
            sock.sendall(b"accepted?")
            assert sock.recv(1024) == b"accepted?"
            with record() as recording:
                sock.sendall(b"hello")
            assert sock.recv(1024) == b"hello"
    done = [told(s) for s in recording if s.side == "server" and s.conn]
    assert done[-2:] == ["recv 5", "sendall 5"]  # before them, perhaps, the end of its last call


# --- misuse -------------------------------------------------------------------------------------


def test_a_recording_is_read_when_it_is_over_and_used_once() -> None:
    with record() as recording:
        assert repr(recording) == "a recording that is still running"
        with pytest.raises(RuntimeError, match=r"still runs: leave its `with` block, or call its"):
            list(recording)
        assert len(recording) == 0
    assert list(recording) == []
    assert repr(recording) == "No connection was made while this was recorded."
    with pytest.raises(RuntimeError, match=r"this recording is over: call record\(\) for a new"):
        recording.__enter__()
