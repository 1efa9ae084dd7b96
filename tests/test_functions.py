"""Function checks: exact values come back, and each way to be broken has its own sentence."""

import math
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import alive, write

from socketlab.harness import Failed, Functions, Other, Raised
from socketlab.harness.functions import same
from socketlab.harness.scene import Patience
from socketlab.peers import byte_by_byte

LAB = """
import os, sys, time

def same(value): return value
def recv_exactly(sock, n):
    data = b""
    while len(data) < n:
        chunk = sock.recv(n - len(data))
        if not chunk:
            raise EOFError("the stream ended")
        data += chunk
    return data
def recv_once(sock, n): return sock.recv(n)
def send(sock, data): return sock.send(data)
def recv_into(sock, n):
    data = bytearray(n)
    count = sock.recv_into(memoryview(data), flags=0)
    return bytes(data[:count])
def sendmsg(sock, *buffers): return sock.sendmsg(buffers)
def close(sock): sock.close()
def todo(sock): raise NotImplementedError("TODO: write me")
def loops():
    while True: pass
def sleeps(): time.sleep(1000)
def exits(): sys.exit("bye")
def dies(): os._exit(3)
def floods():
    for _ in range(600): print("x" * 100_000)
    return "done"
def deep(): return deep()
def strange(): return object()
def text(): raise UnicodeDecodeError("utf-8", b"x", 0, 1, "no")
def nothing(): pass
class Always:
    def __eq__(self, other): return True
    def __hash__(self): return 1
def equals(): return Always()
class Reader:
    def __init__(self, sock): self.sock, self.rest = sock, b""
    def line(self):
        while b"\\n" not in self.rest: self.rest += self.sock.recv(1024)
        line, _, self.rest = self.rest.partition(b"\\n")
        return line
def forges():
    for number in range(3, 20):
        try: os.write(number, b'{"value": ["int", "0x1"]}\\n')
        except OSError: pass
    return 2
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("lab"), LAB, "lab.py")


@pytest.fixture
def functions(path):
    found = Functions(path, Patience(20))
    yield found
    found.close()
    assert alive(path) == []


@pytest.fixture
def hasty(path):
    """With little patience."""
    found = Functions(path, Patience(1.0))
    yield found
    found.close()
    assert alive(path) == []


PLAIN = st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.binary()
KEYS = st.integers() | st.text() | st.binary()
VALUES = st.recursive(
    PLAIN | st.floats(allow_nan=False) | st.binary().map(bytearray),
    lambda each: st.lists(each) | st.lists(each).map(tuple) | st.dictionaries(KEYS, each),
    max_leaves=6,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_plain_values_come_back_as_they_were(functions, value):
    got = functions.call("same", value)
    assert (got, type(got)) == (value, type(value))
    functions.expect(value, "same", value)


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (True, 1),
        (1, 1.0),
        (b"a", bytearray(b"a")),
        ((1,), [1]),
        ({"a": 1}, {"a": True}),
        (0.0, -0.0),
    ],
)
def test_types_are_exact(functions, got, wanted):
    assert not same(got, wanted)
    with pytest.raises(Failed, match="returned something else"):
        functions.expect(wanted, "same", got)


def test_odd_values_come_back_too(functions):
    for value in (10**6000, "\ud800", math.inf, b"x" * 10_000_000):
        assert functions.call("same", value) == value
    assert functions.call("strange") == Other("object")
    assert functions.call("equals") == Other("Always")
    with pytest.raises(TypeError, match="an argument is a object"):
        functions.call("same", object())


@pytest.mark.parametrize("cap", [0, 1, 2, 3])
def test_a_function_has_a_real_socket_and_a_peer(functions, cap):
    theirs, peer = functions.socket(cap=cap)
    call = functions.start("recv_exactly", theirs, 11)
    peer.send(b"hello ")
    peer.send(b"world")
    call.expect(b"hello world")
    functions.expect(min(5, cap or 5), "send", theirs, b"abcde")
    peer.expect(b"abcde"[: cap or 5])


@pytest.mark.parametrize("cap", [1, 3])
def test_every_way_to_move_bytes_is_capped(functions, cap):
    theirs, peer = functions.socket(cap=cap)
    functions.expect(cap, "sendmsg", theirs, b"ab", b"", b"cde")
    peer.expect(b"abcde"[:cap])
    peer.send(b"hello")
    functions.expect(b"hello"[:cap], "recv_into", theirs, 4)


def test_each_piece_is_read_before_the_next_is_sent(functions):
    theirs, peer = functions.socket()
    functions.start("recv_exactly", theirs, 5).feed(peer, *byte_by_byte(b"hello")).expect(b"hello")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the pieces are just sent apart")
def test_an_early_answer_ends_the_wait_for_the_reader(functions):
    theirs, peer = functions.socket()
    functions.start("recv_once", theirs, 5).feed(peer, b"he", b"l", b"lo").expect(b"he")
    functions.start("close", theirs).feed(peer, b"he", b"l", b"lo").expect(None)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the pieces are just sent apart")
def test_a_call_that_does_not_read_is_told_so(hasty):
    _, peer = hasty.socket()
    with pytest.raises(Failed, match=r"sleeps\(\) does not read") as failure:
        hasty.start("sleeps").feed(peer, b"he", b"llo")
    assert {"not read", "waits", "at sleep"} <= set(failure.value.signs)


def test_what_a_function_leaves_unread_can_be_seen(functions):
    theirs, peer = functions.socket(cap=2)
    peer.send(b"hello, world")
    functions.wait_readable(theirs, 12)
    functions.expect(b"hello", "recv_exactly", theirs, 5)
    assert functions.unread(theirs) == b", world"
    assert functions.unread(theirs) == b""
    peer.send(b"more")
    functions.expect(b"more", "recv_exactly", theirs, 4)  # it blocks, as before
    functions.call("close", theirs)
    with pytest.raises(Failed, match="sock is closed: your function closed"):
        functions.unread(theirs)


def test_what_a_function_has_sent_can_be_ended(functions):
    theirs, peer = functions.socket()
    functions.call("send", theirs, b"hello")
    functions.finish(theirs)
    assert peer.receive_all() == b"hello"
    functions.call("close", theirs)
    functions.finish(theirs)


def test_the_line_of_an_error_is_shown_and_a_hole_is_called_so(functions):
    theirs, peer = functions.socket()
    peer.finish()
    with pytest.raises(Failed) as failure:
        functions.expect(b"hello", "recv_exactly", theirs, 5)
    assert failure.value.program.endswith(':\n    raise EOFError("the stream ended")')
    for attempt in (
        lambda: functions.expect(b"", "todo", theirs),
        lambda: functions.expect_error("EOFError", "todo", theirs),
        lambda: functions.make("todo", theirs),
    ):
        with pytest.raises(Failed, match=r"todo\(\) is not finished") as failure:
            attempt()
        assert "is still to be written: TODO: write me" in failure.value.program
        assert (failure.value.got, failure.value.wanted) == ("", "")


def test_bytes_can_be_made_to_lie_together(functions):
    theirs, peer = functions.socket()
    for data in (b"one", b"two"):
        peer.send(data)
    functions.wait_readable(theirs, 6)
    functions.expect(b"onetwo", "recv_once", theirs, 100)


def test_an_object_lives_there(functions):
    theirs, peer = functions.socket()
    reader = functions.make("Reader", theirs)
    peer.send(b"one\ntwo\n")
    reader.expect(b"one", "line")
    reader.expect(b"two", "line")
    with pytest.raises(Failed, match="no method read_line"):
        reader.call("read_line")


def test_errors_are_known_by_name(functions):
    theirs, peer = functions.socket()
    peer.send(b"he")
    peer.finish()
    error = functions.expect_error("EOFError", "recv_exactly", theirs, 5)
    assert (error.name, error.words, error.function) == (
        "EOFError",
        "the stream ended",
        "recv_exactly",
    )
    assert LAB.splitlines()[error.line - 1].strip().startswith("raise EOFError")
    functions.expect_error("ValueError", "text")  # UnicodeDecodeError is one
    assert isinstance(functions.call("deep"), Raised)
    with pytest.raises(Failed, match=r"raised EOFError: the stream ended \(line"):
        functions.expect(b"", "recv_exactly", theirs, 5)
    with pytest.raises(Failed, match="returned, and raised nothing"):
        functions.expect_error("OSError", "nothing")


@pytest.mark.parametrize(
    ("name", "args", "happened", "program", "signs"),
    [
        ("nope", (), "no function or class nope", "", {"missing"}),
        ("same", (1, 2), "does not take these arguments", "", {"misfit"}),
        ("loops", (), "did not return from loops() in time", "busy", {"no return", "busy"}),
        (
            "sleeps",
            (),
            "did not return from sleeps() in time",
            "was waiting",
            {"waits", "at sleep"},
        ),
        ("dies", (), "ended before it could return from dies()", "exit code 3", {"ended"}),
    ],
)
def test_each_broken_function_is_told_what_is_wrong(hasty, name, args, happened, program, signs):
    with pytest.raises(Failed) as failure:
        hasty.call(name, *args)
    assert happened in failure.value.happened
    assert program in failure.value.program
    assert signs <= set(failure.value.signs)


def test_exit_is_an_error_like_another_and_output_does_no_harm(functions):
    assert functions.call("exits").name == "SystemExit"
    assert functions.call("floods") == "done"
    assert functions.call("same", 1) == 1


@pytest.mark.parametrize(
    ("source", "happened", "program"),
    [
        ("def f(:\n", "could not read your file", "SyntaxError"),
        ("import sys; sys.exit()", "ended before it could import it", "exit code 0"),
        ("import os; os._exit(0)", "ended before it could import it", "exit code 0"),
        ("1 / 0", "ended before it could import it", "ZeroDivisionError"),
        ("while True: pass", "did not import it in time", "busy"),
        ("x = input()", "ended before it could import it", "EOFError"),
        ("raise NotImplementedError('TODO: write')", "ended", "still to be written"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_why(tmp_path, source, happened, program):
    path = write(tmp_path, source)
    with pytest.raises(Failed) as failure:
        Functions(path, Patience(1.0))
    assert happened in failure.value.happened
    assert program in failure.value.program
    assert alive(path) == []


def test_an_answer_that_is_forged_is_only_an_answer(functions):
    assert functions.call("forges") in (1, 2)  # it may say what it likes, but not what is wanted
