"""conversation(): every byte that was sent meets the read that took it, by its place."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import scenarios as on
from hypothesis import given, settings
from hypothesis import strategies as st
from made_events import datagrams, echoes, stream

import socketlab
from socketlab import record
from socketlab.conversation import Arrow, Connection, Span, conversation
from socketlab.taps import KEPT
from socketlab.words import describe

DATA = random.Random(0).randbytes(2000)  # no 8 bytes of it look like others


def spans_of(side: str, call: str, data: bytes, cuts: list[int], start: int = 0) -> list[Span]:
    """One call a piece of `data`, cut at `cuts`; a second each."""
    ends = sorted({0, *cuts, len(data)})
    return [
        Span("A", side, side, call, start + i, start + i + 0.5, b - a, "", data[a:b][:KEPT])
        for i, (a, b) in enumerate(pairwise(ends))
    ]


def only(spans: list[Span]) -> Connection:
    (connection,) = conversation(spans).connections
    return connection


def data_arrows(connection: Connection, source: str = "client") -> list[Arrow]:
    return [a for a in connection.arrows if (a.kind, a.source) == ("data", source)]


# --- streams ------------------------------------------------------------------------------------

sizes = st.integers(0, 2000)
cut_lists = st.lists(st.integers(0, 2000), max_size=30)


def within(cuts: list[int], size: int) -> list[int]:
    return [cut for cut in cuts if cut < size]


@settings(deadline=None)
@given(sizes, cut_lists, cut_lists, st.booleans())
def test_pieces_are_what_both_sides_cut(size, sent, read, all_sent_first) -> None:
    """However a stream is cut: an arrow for each piece, with the calls that it belongs to."""
    data, sent, read = DATA[:size], within(sent, size), within(read, size)
    sends = spans_of("client", "sendall", data, sent)
    reads = spans_of("server", "recv", data, read, len(sends) if all_sent_first else 0)
    arrows = data_arrows(only([*sends, *reads])) if size else []
    pieces = list(pairwise(sorted({0, *sent, *read, size})))
    assert sorted(arrow.nbytes for arrow in arrows) == sorted(b - a for a, b in pieces)
    for span, arrow_end in [(s, "sent_by") for s in sends] + [(s, "met_by") for s in reads]:
        mine = [arrow for arrow in arrows if getattr(arrow, arrow_end) is span]
        assert sum(arrow.nbytes for arrow in mine) == span.nbytes
    by_place = sorted(arrows, key=lambda a: (a.sent_by.start, a.met_by.start))
    for (start, end), arrow in zip(pieces, by_place, strict=True):
        assert arrow.data == data[start:end][: len(arrow.data)]
        assert (arrow.left, arrow.met) == (arrow.sent_by.start, arrow.met_by.end)


@settings(deadline=None)
@given(sizes, sizes, cut_lists, cut_lists)
def test_every_byte_is_in_one_arrow_even_if_one_side_saw_less(sent, read, cuts, other) -> None:
    sends = spans_of("client", "send", DATA[:sent], within(cuts, sent))
    reads = spans_of("server", "recv_into", DATA[:read], within(other, read))
    if not sends and not reads:
        return
    arrows = data_arrows(only([*sends, *reads]))
    for span in sends:
        assert sum(a.nbytes for a in arrows if a.sent_by is span) == span.nbytes
    for span in reads:
        assert sum(a.nbytes for a in arrows if a.met_by is span) == span.nbytes
    assert sum(a.nbytes for a in arrows) == max(sent, read)
    assert sum(a.nbytes for a in arrows if a.sent_by and a.met_by) == min(sent, read)
    assert all((a.met is None) == (a.met_by is None) for a in arrows)


@settings(deadline=None)
@given(st.integers(1, 250), cut_lists, st.integers(0, 30), st.booleans())
def test_calls_unseen_at_the_beginning(size, cuts, unseen, of_sender) -> None:
    """The calls that were under way when recording began are missing, on one side."""
    size, cuts = size * 8, [cut // 8 * 8 for cut in cuts]  # a byte alone may be any other
    sends = spans_of("client", "send", DATA[:size], within(cuts, size))
    reads = spans_of("server", "recv", DATA[:size], within(cuts, size))
    unseen %= len(sends)
    seen = [*sends[unseen:], *reads] if of_sender else [*sends, *reads[unseen:]]
    arrows = data_arrows(only(seen))
    assert len(arrows) == len(sends)
    for arrow in arrows:
        if arrow.sent_by and arrow.met_by:
            assert arrow.sent_by.data == arrow.met_by.data
    assert sum(bool(arrow.sent_by and arrow.met_by) for arrow in arrows) == len(sends) - unseen


def test_a_failed_sendall_has_sent_what_was_received_beyond_the_others() -> None:
    sends = [
        Span("A", "client", "c", "sendall", 0, 1, 3, "", b"abc"),
        Span("A", "client", "c", "sendall", 1, 2, 0, "TimeoutError"),
    ]
    reads = spans_of("server", "recv", b"abcdefgh", [3])
    arrows = data_arrows(only([*sends, *reads]))
    assert [(a.sent_by, a.nbytes, a.data) for a in arrows] == [
        (sends[0], 3, b"abc"),
        (sends[1], 5, b"defgh"),
    ]


def test_two_readers_of_one_socket_get_bytes_in_the_order_in_which_they_return() -> None:
    sends = spans_of("client", "send", b"onetwo", [3])
    late = Span("A", "server", "late", "recv", 0, 9, 3, "", b"two")
    soon = Span("A", "server", "soon", "recv", 0.1, 5, 3, "", b"one")
    assert [a.met_by for a in data_arrows(only([*sends, late, soon]))] == [soon, late]


# --- beginnings and ends ------------------------------------------------------------------------


def kinds(recording) -> list[tuple[str, str, str, str]]:
    (connection,) = conversation(recording).connections
    return [
        (a.source, a.kind, a.sent_by.call, a.met_by.call if a.met_by else "")
        for a in connection.arrows
        if a.kind != "data"
    ]


def test_kinds_of_arrows() -> None:
    start = ("client", "handshake", "connect", "accept")
    assert kinds(on.half_close()) == [
        start,
        ("client", "end", "shutdown", "recv"),
        ("server", "end", "close", "recv"),
    ]
    assert kinds(on.reset()) == [start, ("client", "reset", "close", "recv")]
    assert kinds(on.unread_input()) == [start, ("server", "reset", "close", "recv")]
    assert kinds(on.never_accepted()) == [("client", "handshake", "connect", "")]
    assert kinds(on.udp()) == []


def call(side: str, name: str, at: float, error: str = "", **more: Any) -> Span:
    return Span("A", side, side, name, at, at + 0.5, error=error, **more)


@pytest.mark.parametrize("errors", [("ECONNREFUSED", ""), ("ECONNREFUSED", "EINPROGRESS")])
def test_the_handshake_is_of_the_connect_that_came_about(errors: tuple[str, str]) -> None:
    first, second = (call("client", "connect", i, error) for i, error in enumerate(errors))
    (arrow,) = only([first, second, call("server", "accept", 3)]).arrows
    assert arrow.sent_by is second


def test_a_pipe_that_one_broke_oneself_is_no_reset() -> None:
    spans = [
        call("client", "shutdown", 0),
        call("client", "send", 1, "EPIPE"),
        call("server", "close", 0.5),
    ]
    assert only(spans).arrows == ()


def test_no_arrow_goes_back_in_time() -> None:
    spans = [call("client", "recv", 0), call("server", "close", 5)]  # its own shutdown ended it
    assert only(spans).arrows == ()


def test_recv_of_no_bytes_is_not_the_end() -> None:
    spans = [call("client", "recv(0)", 0.2), call("server", "close", 0), call("client", "recv", 1)]
    (end,) = only(spans).arrows
    assert (end.kind, end.met_by.call) == ("end", "recv")


def test_when_a_connection_was_closed() -> None:
    spans = [call("client", "close", 1), call("client", "close", 2), call("server", "recv", 9)]
    assert only(spans).closed == 9.5  # the server's end never was
    assert only([*spans, call("server", "close", 4)]).closed == 4.5


# --- datagrams ----------------------------------------------------------------------------------


def datagram(side: str, name: str, at: float, data: bytes, nbytes: int | None = None) -> Span:
    size = len(data) if nbytes is None else nbytes
    return Span("A", side, side, name, at, at + 0.5, size, "", data, True)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3), max_size=12), st.randoms(use_true_random=False))
def test_datagrams_are_paired_whole_through_loss_and_reordering(messages, random) -> None:
    arriving = [m for m in messages if random.random() < 0.7]
    random.shuffle(arriving)
    sends = [datagram("client", "sendto", i, m) for i, m in enumerate(messages)]
    reads = [datagram("server", "recvfrom", 100 + i, m) for i, m in enumerate(arriving)]
    if not sends:
        return
    arrows = data_arrows(only([*sends, *reads]))
    assert [a.sent_by for a in arrows] == sends
    met = [a for a in arrows if a.met_by]
    assert all(a.met_by.data == a.data for a in met)
    assert Counter(a.data for a in met) == Counter(arriving)
    assert len({id(a.met_by) for a in met}) == len(arriving)


def test_datagrams_cut_short_doubled_and_from_elsewhere() -> None:
    sends = [datagram("client", "sendto", 0, b"abcdef"), datagram("client", "sendto", 1, b"abc")]
    reads = [
        datagram("server", "recvfrom", 2, b"abc"),
        datagram("server", "recvfrom", 3, b"abc"),
        datagram("server", "recvfrom", 4, b"who?"),
    ]
    arrows = data_arrows(only([*sends, *reads]))
    assert {(a.sent_by, a.met_by) for a in arrows} == {
        (sends[0], reads[1]),
        (sends[1], reads[0]),
        (None, reads[2]),
    }


def test_a_datagram_is_not_met_before_it_was_sent() -> None:
    read, send = datagram("server", "recvfrom", 0, b"x"), datagram("client", "sendto", 5, b"x")
    assert [(a.sent_by, a.met_by) for a in data_arrows(only([read, send]))] == [
        (None, read),
        (send, None),
    ]


# --- size ---------------------------------------------------------------------------------------

KIT = str(Path(socketlab.__file__).parent)
SHAPES: dict[str, Callable] = {
    "echoes": echoes,
    "echoes, threads": partial(echoes, threads=True),
    "echoes, Unix": partial(echoes, unix=True),
    "one stream": stream,
    "datagrams": datagrams,
}


def steps(work: Callable) -> int:
    """How many bytecodes of the kit `work()` executes: the same number in every run."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(KIT):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("shape", SHAPES)
def test_work_grows_with_the_recording_not_with_its_square(shape: str) -> None:
    few, many = (SHAPES[shape](size) for size in (20, 160))
    work = [steps(lambda tape=tape: describe(tape.spans())) for tape in (few, many)]
    assert work[1] < 9 * work[0]


def test_ten_thousand_connections() -> None:
    found = conversation(echoes(10_000).spans())
    assert len(found.connections) == 10_000
    assert sum(len(c.client) + len(c.server) for c in found.connections) == 100_000
    assert all(len(c.arrows) == 4 for c in found.connections)
    assert [c.name for c in found.connections[24:28]] == ["Y", "Z", "AA", "AB"]


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [None, 3, "spans", [1], [b"x"], object()])
def test_what_is_not_a_recording_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"is not a recording: pass what record\(\) returned"):
        conversation(bad)


def test_recordings_in_a_list_are_asked_for_one_by_one() -> None:
    with record() as recording:
        pass
    with pytest.raises(TypeError, match="one by one, not in a list"):
        conversation([recording, recording])  # type: ignore[list-item]


def test_a_running_recording_is_refused() -> None:
    with record() as recording, pytest.raises(RuntimeError, match=r"call its stop\(\), first"):
        conversation(recording)


def test_nothing_recorded() -> None:
    assert conversation([]).connections == ()
