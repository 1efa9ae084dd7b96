"""record(): every call is seen, both ends meet, and the program does not notice."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from socketlab import background, record
from socketlab.conversation import Span, conversation
from socketlab.recorder import Recording

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
    a, b = socket.socketpair()
    with a, b, record() as recording:
        a.sendall(bytearray())
        a.sendall(memoryview(b""))
        assert a.send(b"") == 0
        a.sendall(b"hello")
        buffer = bytearray(10)
        assert b.recv_into(buffer=buffer, nbytes=2) == 2
        assert b.recv_into(buffer, flags=socket.MSG_PEEK) == 3
        assert b.recvfrom_into(buffer=buffer)[0] == 3
    assert len(recording.spans) >= 0


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
