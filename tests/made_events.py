"""Raw events of recordings as large as one likes, without a socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from socketlab.conversation import Span
from socketlab.pairing import read
from socketlab.taps import Event

SERVER = ("127.0.0.1", 80)
MAIN, SERVING, HANDLING = 1, 2, 1000  # idents of threads


class Tape:
    """Events one after the other, each a microsecond after the one before."""

    def __init__(self) -> None:
        self.now = 0
        self.events: list[Event] = []

    def add(self, call: str, key: int, thread: int, result: object = None, took: int = 0) -> None:
        self.now += 1000
        self.events.append(Event(call, key, self.now, self.now + took, thread, result))

    def spans(self) -> list[Span]:
        threads = [(MAIN, "MainThread"), (SERVING, "serve")]
        return read(self.events, [], threads, 0)


def echoes(number: int, *, threads: bool = False, unix: bool = False) -> Tape:
    """So many clients, connected all at once; ten spans each."""
    tape = Tape()
    for i in range(number):
        _connect(tape, i, unix)
    for i in range(number):
        client, server, handler = 2 * i + 2, 2 * i + 3, HANDLING + i if threads else SERVING
        if threads:
            tape.add("thread", 0, handler, f"Thread-{i} (handle)")
        tape.add("sendall", client, MAIN, b"hello %d" % i)
        tape.add("recv", server, handler, b"hello %d" % i)
        tape.add("sendall", server, handler, b"hello %d" % i)
        tape.add("recv", client, MAIN, b"hello %d" % i)
    for i in range(number):
        client, server, handler = 2 * i + 2, 2 * i + 3, HANDLING + i if threads else SERVING
        tape.add("shutdown", client, MAIN, socket.SHUT_WR)
        tape.add("recv", server, handler, b"")
        tape.add("close", client, MAIN, (None, None))
        tape.add("close", server, handler, (None, None))
    return tape


def _connect(tape: Tape, i: int, unix: bool) -> None:
    own, peer = ("", "/server") if unix else (("127.0.0.1", 1024 + i), SERVER)
    tape.add("socket", 2 * i + 2, MAIN, (socket.SOCK_STREAM, None, None))
    tape.add("connect", 2 * i + 2, MAIN, (own, peer))
    tape.add("socket", 2 * i + 3, SERVING, (socket.SOCK_STREAM, peer, own))
    tape.add("accept", 1, SERVING, 2 * i + 3)


def stream(sends: int) -> Tape:
    """One connection: so many sends of 7 bytes, received 5 at a time."""
    tape = Tape()
    _connect(tape, 0, False)
    for _ in range(sends):
        tape.add("sendall", 2, MAIN, b"1234567")
    for data in _slices(b"1234567" * sends, 5):
        tape.add("recv", 3, SERVING, data)
    return tape


def _slices(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


def datagrams(number: int) -> Tape:
    """So many datagrams of one client: a third is lost, the rest is cut short and reversed."""
    tape, own = Tape(), ("127.0.0.1", 1024)
    tape.add("socket", 2, MAIN, (socket.SOCK_DGRAM, None, None))
    tape.add("socket", 3, SERVING, (socket.SOCK_DGRAM, None, None))
    tape.add("bind", 3, SERVING, (SERVER, None))
    for i in range(number):
        tape.add("sendto", 2, MAIN, (b"%09d, and more" % i, SERVER, own))
    for i in reversed(range(number)):
        if i % 3:
            tape.add("recvfrom", 3, SERVING, (b"%09d" % i, own))
    return tape
