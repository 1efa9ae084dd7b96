"""Loops around select(): what their turns are said to be, and how they are drawn."""

from __future__ import annotations

import asyncio
import selectors
import socket
import sys
import time
from contextlib import ExitStack, suppress
from functools import partial
from types import SimpleNamespace

import pytest
from drawn_text import touching
from scenarios import serve_selectors

from socketlab import background, loop_turns, record
from socketlab.conversation import Interest, Span
from socketlab.figures.loop_turns import VIEW, LoopTurns
from socketlab.loops import turns_of
from socketlab.recorder import Recording

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
KINDS = [
    kind
    for name in ("SelectSelector", "PollSelector", "EpollSelector", "KqueueSelector")
    if (kind := getattr(selectors, name, None))
]
THREE_CLIENTS = """\
turn  select() returned  called                    still pending
      (before the loop)  register(listener, READ)  READ listener
1     READ listener      accept() = A              READ listener, A
                         register(A, READ)
2     READ listener, A   accept() = B              READ listener, A, B
                         register(B, READ)
                         A.recv() = b'hello'
                         A.sendall(b'hello')
3     READ listener, B   accept() = C              READ listener, A, B, C
                         register(C, READ)
                         B.recv() = b'good day'
                         B.sendall(b'good day')
4     READ C             C.recv() = b'hi'          READ listener, A, B, C
                         C.sendall(b'hi')
5     READ A             A.recv() = b''            READ listener, B, C
                         unregister(A)
                         A.close()
6     READ B             B.recv() = b''            READ listener, C
                         unregister(B)
                         B.close()
7     READ C             C.recv() = b''            READ listener
                         unregister(C)
                         C.close()
8     (still waits)      -                         READ listener"""
THREE_CLIENTS_BY_LISTS = """\
turn  select() returned  called                  still pending
1     READ listener      accept() = A            READ listener, A
2     READ listener, A   accept() = B            READ listener, A, B
                         A.recv() = b'hello'
                         A.sendall(b'hello')
3     READ listener, B   accept() = C            READ listener, A, B, C
                         B.recv() = b'good day'
                         B.sendall(b'good day')
4     READ C             C.recv() = b'hi'        READ listener, A, B, C
                         C.sendall(b'hi')
5     READ A             A.recv() = b''          READ listener, B, C
                         A.close()
6     READ B             B.recv() = b''          READ listener, C
                         B.close()
7     READ C             C.recv() = b''          READ listener
                         C.close()
8     (still waits)      -                       READ listener"""
ALWAYS_WRITE = """\
turn  select() returned  called                     still pending
      (before the loop)  register(listener, READ)   READ listener
1     READ listener      accept() = A               READ listener, A; WRITE A
                         register(A, READ | WRITE)
2     WRITE A            nothing                    READ listener, A; WRITE A
                         (again and again)          still ready: WRITE A
3     READ A; WRITE A    A.recv() = b'hello'        READ listener, A; WRITE A
                         A.sendall(b'hello')
4     WRITE A            nothing                    READ listener, A; WRITE A
                         (again and again)          still ready: WRITE A
5     READ A; WRITE A    A.recv() = b''             READ listener
                         unregister(A)
                         A.close()
6     (still waits)      -                          READ listener"""


# --- servers and clients ------------------------------------------------------------------------


def serve_kind(listener: socket.socket, kind=selectors.DefaultSelector, interest=READ) -> None:
    with kind() as selector:
        selector.register(listener, READ)
        while True:
            for key, mask in selector.select():
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], interest)
                elif mask & READ:
                    if data := key.fileobj.recv(1024):
                        key.fileobj.sendall(data)
                    else:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()


def serve_lists(listener: socket.socket) -> None:
    import select

    socks = [listener]
    while True:
        for sock in select.select(socks, [], [])[0]:
            if sock is listener:
                socks.append(listener.accept()[0])
            elif data := sock.recv(1024):
                sock.sendall(data)
            else:
                socks.remove(sock)
                sock.close()


def serve_owing(listener: socket.socket) -> None:
    """Owes what it received until the next turn, and asks for WRITE only meanwhile."""
    owed: dict[socket.socket, bytes] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(listener, READ)
        while True:
            for key, mask in selector.select():
                conn = key.fileobj
                if conn is listener:
                    selector.register(listener.accept()[0], READ)
                elif mask & WRITE:
                    conn.sendall(owed.pop(conn))
                    selector.modify(conn, READ)
                elif data := conn.recv(1024):
                    owed[conn] = data
                    selector.modify(conn, READ | WRITE)
                else:
                    selector.unregister(conn)
                    conn.close()


def three_clients(serve, messages=(b"hello", b"good day", b"hi")) -> Recording:
    """All clients connect and speak before the server starts, and leave one after the other."""
    listener = socket.create_server(("127.0.0.1", 0))
    with record() as recording, ExitStack() as stack:
        address = listener.getsockname()
        socks = [stack.enter_context(socket.create_connection(address)) for _ in messages]
        for sock, message in zip(socks, messages, strict=True):
            sock.sendall(message)
        with background(serve, listener):
            for sock in socks:
                sock.recv(1024)
            for sock in socks:
                sock.shutdown(socket.SHUT_WR)
                assert sock.recv(1024) == b""
    return recording


def quiet_client(serve) -> Recording:
    with record() as recording, background(serve) as server:
        with socket.create_connection(server.address) as sock:
            time.sleep(0.05)
            sock.sendall(b"hello")
            sock.recv(1024)
            time.sleep(0.05)
    return recording


serve_writable = partial(serve_kind, interest=READ | WRITE)


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_turns_are_told_alike_for_every_selector(kind) -> None:
    assert repr(loop_turns(three_clients(partial(serve_kind, kind=kind)))) == THREE_CLIENTS


def test_turns_of_select_select() -> None:
    turns = loop_turns(three_clients(serve_lists))
    assert repr(turns) == THREE_CLIENTS_BY_LISTS
    assert turns.wakeups == 7


def test_words_do_not_change_from_run_to_run() -> None:
    assert {repr(loop_turns(three_clients(serve_kind))) for _ in range(5)} == {THREE_CLIENTS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_permanent_write_interest_is_told_and_counted(kind) -> None:
    turns = loop_turns(quiet_client(partial(serve_writable, kind=kind)))
    assert repr(turns) == ALWAYS_WRITE
    assert turns.wakeups > 20
    assert turns.idle_wakeups == turns.wakeups - 3


def test_write_interest_comes_and_goes() -> None:
    turns = loop_turns(quiet_client(serve_owing))
    words = [repr(turn) for turn in turns][2:4]
    assert words == [
        "turn 2\n"
        "asked about        READ listener, A\n"
        "select() returned  READ A\n"
        "called             A.recv() = b'hello'\n"
        "                   modify(A, READ | WRITE)\n"
        "still pending      READ listener, A; WRITE A",
        "turn 3\n"
        "asked about        READ listener, A; WRITE A\n"
        "select() returned  WRITE A\n"
        "called             A.sendall(b'hello')\n"
        "                   modify(A, READ)\n"
        "still pending      READ listener, A",
    ]
    assert (turns.wakeups, turns.idle_wakeups) == (4, 0)


def test_end_of_stream_that_nobody_handles() -> None:
    def serve_on(listener: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, ExitStack() as stack:
            selector.register(listener, READ)
            for _ in range(51):
                for key, _ in selector.select():
                    if key.fileobj is listener:
                        selector.register(stack.enter_context(listener.accept()[0]), READ)
                    else:
                        key.fileobj.recv(1024)

    with record() as recording, background(serve_on) as server:
        socket.create_connection(server.address).close()
    *_, again, last = loop_turns(recording)
    assert [call.words for call in again.calls] == ["A.recv() = b''"]
    assert again.times == 49  # the last one closes
    assert [call.words for call in last.calls] == ["A.recv() = b''", "A.close()"]


def test_what_was_ready_together_is_told_in_the_order_of_letters() -> None:
    """A selector hands it over in an order of its own; the calls for one socket keep theirs."""
    ready = (("B", READ), ("A", READ))
    spans = [Span("", "server", "serve", "select", 0, 0, interest=Interest(1, (), ready))]
    for place, (conn, call) in enumerate(
        [("B", "recv"), ("C", "send"), ("B", "close"), ("A", "recv")], start=1
    ):
        spans.append(Span(conn, "server", "serve", call, place, place))
    (turn,) = turns_of(spans)
    assert turn.ready == {"A": READ, "B": READ}
    assert [call.words for call in turn.calls] == [
        "A.recv() = b''", "B.recv() = b''", "C.send(b'')", "B.close()",
    ]  # fmt: skip


def test_a_recording_that_ends_while_the_loop_waits() -> None:
    with background(serve_selectors) as server:
        recording = record()
        with socket.create_connection(server.address) as sock:
            sock.sendall(b"hello")
            sock.recv(1024)
            *_, last = loop_turns(recording.stop())
    assert last.waits
    assert "A" in last.asked


def test_a_loop_of_the_foreground_and_its_failures() -> None:
    with record() as recording, selectors.DefaultSelector() as selector:
        one, other = socket.socketpair()
        one.setblocking(False)
        selector.register(one, READ)
        with suppress(KeyError):
            selector.register(one, READ)
        selector.select(0)
        with suppress(BlockingIOError):
            one.recv(10)
        other.sendall(b"hello")
        selector.select()
        selector.unregister(one)
        one.close()
        other.close()
    turns = loop_turns(recording)
    assert [[call.words for call in turn.calls] for turn in turns][:2] == [
        ["register(A, READ)", "register(A)  KeyError"],
        ["A.recv()  BlockingIOError", "A.sendall(b'hello')"],
    ]
    assert [turn.ready for turn in turns] == [{}, {}, {"A": READ}]
    assert list(turns)[2].unserved == {}  # closed


def test_what_was_ready_and_not_served_is_still_ready() -> None:
    with record() as recording, selectors.DefaultSelector() as selector:
        one, other = socket.socketpair()
        with one, other:
            selector.register(one, READ)
            other.sendall(b"hello")
            for _ in range(3):
                selector.select()
            one.recv(10)
    first, last = [turn for turn in loop_turns(recording) if turn.ready]
    assert (first.times, first.unserved) == (2, {"A": READ})
    assert (last.times, last.unserved) == (1, {})


def test_asyncio_is_a_loop_too() -> None:
    async def serve(listener: socket.socket) -> None:
        async def handle(reader, writer) -> None:
            while data := await reader.read(1024):
                writer.write(data)
            writer.close()

        server = await asyncio.start_server(handle, sock=listener)
        await server.serve_forever()

    turns = loop_turns(quiet_client(serve))
    assert {name for turn in turns for name in turn.asked} == {"listener", "A"}
    assert [call.words for turn in turns for call in turn.calls if call.name == "A"][:3] == [
        "register(A, READ)",
        "A.recv() = b'hello'",
        "A.send(b'hello')",
    ]


def test_the_thread_can_be_named() -> None:
    with record() as recording, background(serve_selectors) as server:
        with socket.create_connection(server.address) as sock:
            with selectors.DefaultSelector() as selector:
                selector.register(sock, WRITE)
                selector.select()
                sock.sendall(b"hello")
                selector.modify(sock, READ)
                selector.select()
                sock.recv(1024)
    assert loop_turns(recording).wakeups == 3
    turns = loop_turns(recording, thread="MainThread")
    assert [turn.ready for turn in turns if turn.number] == [{"A": WRITE}, {"A": READ}]


def test_the_program_does_not_notice() -> None:
    import select

    one, other = socket.socketpair()
    with one, other, record():
        other.sendall(b"hello")
        assert select.select((sock for sock in [one]), {other}, ())[0] == [one]
        with pytest.raises(TypeError):
            select.select(1, [], [])
        with pytest.raises(TypeError):
            select.select([object()], [], [])
        with selectors.DefaultSelector() as selector:
            key = selector.register(fileobj=one, events=READ, data="mine")
            assert selector.modify(one, WRITE, data="yours").data == "yours"
            assert selector.unregister(one).fd == key.fd
            with pytest.raises(ValueError, match="Invalid file"):
                selector.register(-1, READ)


# --- pictures -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def turns() -> LoopTurns:
    return loop_turns(three_clients(serve_kind))


def pictures() -> dict[str, LoopTurns]:
    many = three_clients(serve_kind, [b"%d" % i for i in range(12)])
    long = three_clients(serve_kind, [b"a longer message than there is room for"] * 6)
    return {
        "lists": loop_turns(three_clients(serve_lists)),
        "writable": loop_turns(quiet_client(serve_writable)),
        "owing": loop_turns(quiet_client(serve_owing), title=None, subtitle=None),
        "many": loop_turns(many),
        "long": loop_turns(long, title="A longer title " * 9),
    }


def test_no_label_touches_another_or_leaves_the_paper() -> None:
    for name, found in pictures().items():
        assert touching(found.figure) == [], name
        for number in (1, 2, found.turns[-1].number):
            assert touching(found.turn(number).figure) == [], (name, number)


def test_every_step_is_as_large_as_the_others(turns: LoopTurns) -> None:
    sizes = {tuple(turns.turn(n).figure.get_size_inches()) for n in range(1, 9)}
    assert len(sizes) == 1


def test_a_step_says_what_its_picture_shows(turns: LoopTurns) -> None:
    drawn = [text.get_text() for text in turns.turn(3).figure.axes[0].texts]
    assert "Turn 3 of 8" in drawn
    assert {"accept() = C", "register(READ)", "recv() = b'good day'"} <= set(drawn)
    assert repr(turns.turn(3)) == repr(list(turns)[3])


# --- stepping through ---------------------------------------------------------------------------


class Widget:
    """What stands for any widget where ipywidgets is not installed."""

    def __init__(self, value=None, **traits) -> None:
        self.value, self.traits, self.observers = value, traits, []

    def observe(self, function, names) -> None:
        assert names == "value"
        self.observers.append(function)

    def slide(self, value: int) -> None:
        self.value = value
        for function in self.observers:
            function({"new": value})

    def _repr_mimebundle_(self, **_):
        return {"text/plain": "a widget", VIEW: {"model_id": id(self), "of": self}}


def test_a_slider_where_widgets_are_installed(turns, monkeypatch) -> None:
    names = dict.fromkeys(("IntSlider", "Image", "HTML", "VBox"), Widget)
    monkeypatch.setitem(sys.modules, "ipywidgets", SimpleNamespace(**names))
    stepper = turns.step_through()
    bundle = stepper._repr_mimebundle_()
    assert list(bundle) == [VIEW]
    slider, image, words = bundle[VIEW]["of"].value
    assert (slider.traits["min"], slider.traits["max"]) == (1, 8)
    assert image.value == turns.turn(1).png()
    slider.slide(3)
    assert image.value == turns.turn(3).png()
    assert "accept() = C" in words.value
    assert repr(stepper) == repr(turns)


def test_all_turns_where_no_widgets_are_installed(turns, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    stepper = turns.step_through()
    assert stepper._repr_mimebundle_() == {}
    assert stepper._repr_png_() == turns._repr_png_()
    assert repr(stepper) == repr(turns)


# --- advice -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 9, -1, "3", None])
def test_a_turn_that_is_not_there(turns, number) -> None:
    with pytest.raises(ValueError, match="choose a number from 1 to 8"):
        turns.turn(number)


def test_what_cannot_be_shown_says_what_can(turns) -> None:
    with pytest.raises(TypeError, match="is not a recording"):
        loop_turns("recording")
    with pytest.raises(TypeError, match="is not a recording"):
        loop_turns(3)
    with pytest.raises(ValueError, match="nobody called select"):
        loop_turns([])
    with record() as recording, background(serve_selectors) as server:
        socket.create_connection(server.address).close()
    with pytest.raises(ValueError, match="Choose one of: serve_selectors"):
        loop_turns(recording, thread="nobody")
