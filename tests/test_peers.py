"""Scripted peers and counts from outside: what they promise, on real sockets and processes."""

import random
import socket
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import RIGHT, write

from socketlab import peers
from socketlab.harness import Client, Failed, Listener, Program, counts, finished, free_port
from socketlab.harness.scene import Patience

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request):
    """Both ends of a TCP connection: (the peer's, the program's)."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as listener:
        with socket.create_connection(listener.getsockname()[:2]) as sock:
            conn, _ = listener.accept()
            with conn:
                yield sock, conn


@given(st.binary(max_size=40), st.integers(0, 9), st.randoms(use_true_random=False))
def test_pieces_make_up_the_whole(data, count, rng):
    pieces = [peers.byte_by_byte(data), peers.random_cuts(data, rng, count)]
    pieces += [peers.cut(data, [3, 3, 0, -1, 99]), *map(list, peers.every_split(data))]
    assert {b"".join(each) for each in pieces} == {data}
    assert len(list(peers.every_split(data))) == max(0, len(data) - 1)
    assert all(piece for each in peers.every_split(data) for piece in each)


def test_the_same_seed_cuts_at_the_same_places():
    cuts = [peers.random_cuts(bytes(99), random.Random(seed), 5) for seed in (1, 1, 2)]
    assert cuts[0] == cuts[1] != cuts[2]


@LINUX
def test_each_piece_is_read_before_the_next_is_sent(pair):
    sock, conn = pair
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(iter(lambda: conn.recv(1024), b"")))
    reader.start()
    peers.send_apart(sock, peers.byte_by_byte(b"one at a time"))
    sock.shutdown(socket.SHUT_WR)
    reader.join()
    assert seen == peers.byte_by_byte(b"one at a time")


@LINUX
def test_a_program_that_does_not_read_is_not_waited_for_for_ever(pair):
    with pytest.raises(TimeoutError, match="did not read what was sent within"):
        peers.send_apart(pair[0], [b"a", b"b"], limit=0.05)
    assert peers.unread(pair[0]) == 1


@LINUX
@pytest.mark.parametrize("netlink", [True, False], ids=["netlink", "table"])
def test_what_is_unread_is_counted(pair, monkeypatch, netlink):
    def refuse(*_):
        raise OSError("no sock_diag here")

    way = "_unread_by_table" if netlink else "_unread_by_netlink"
    monkeypatch.setattr(peers, way, refuse)
    sock, conn = pair
    assert peers.unread(sock) == 0
    sock.sendall(b"hello")
    peers.wait_arrived(sock)
    assert peers.unread(sock) == 5
    conn.recv(3)
    assert peers.unread(sock) == 2
    conn.recv(2)
    conn.close()
    assert peers.unread(sock) == 0
    sock.close()


@LINUX
def test_each_small_send_is_a_segment(pair):
    sock, conn = pair
    for count in (1, 2, 3):
        conn.sendall(b"x" * 100)
        assert len(sock.recv(1000)) == 100
        assert peers.segments(sock) == count


def test_a_full_connection_takes_no_more(pair):
    sent = peers.fill(pair[0], 10**9, calm=0.05)
    assert 0 < sent < 10**9
    with pytest.raises(TimeoutError, match="of 10 bytes were taken"):
        peers.send_at_once(pair[0], bytes(10), limit=0.05)


def test_a_reset_is_not_a_goodbye(pair):
    sock, conn = pair
    peers.reset_on_close(sock)
    sock.close()
    with pytest.raises(ConnectionResetError):
        conn.recv(1)


@LINUX
def test_what_a_reset_connection_lost_is_not_waited_for(pair):
    sock, conn = pair
    conn.close()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        peers.send_apart(sock, peers.byte_by_byte(b"some"), limit=5)


@pytest.fixture
def start(tmp_path):
    """Starts a program from its source."""
    programs = []

    def start_one(source, *words, patience=20.0):
        path = write(tmp_path, source, f"program{len(programs)}.py")
        programs.append(Program(path, *words, patience=Patience(patience)))
        return programs[-1]

    yield start_one
    for program in programs:
        program.stop()


COUNTS_READS = """
import socket
with socket.create_server(("127.0.0.1", 0)) as listener:
    conn, _ = listener.accept()
    conn.sendall(b"?")
    reads = []
    while data := conn.recv(1024):
        reads.append(data)
    conn.sendall(repr(reads).encode())
    conn.close()
    listener.accept()
"""


@LINUX
def test_a_program_gets_bytes_one_by_one_in_pieces_or_glued(start):
    with Client(start(COUNTS_READS)) as client:
        client.expect(b"?")
        client.send_byte_by_byte(b"abc")
        client.send_in_pieces(b"de", b"f")
        peers.wait_read(client.sock)
        client.send_glued(b"one", b"two")
        client.finish()
        wanted = [b"a", b"b", b"c", b"de", b"f", b"onetwo"]
        assert client.receive_all() == repr(wanted).encode()


def test_receive_takes_what_is_asked_for_and_says_what_is_missing(start):
    program = start(RIGHT, "127.0.0.1", 0, patience=1.0)
    with Client(program) as client:
        client.send(b"line\nrest")
        assert (client.receive_until(b"\n"), client.receive(4)) == (b"line\n", b"rest")
        client.send(b"ha")
        client.finish()
        with pytest.raises(Failed, match="too early") as failure:
            client.receive(3)
    assert failure.value.signs[:1] == ("early end",)
    assert (failure.value.got, failure.value.wanted) == ("b'ha' (2 bytes)", "3 bytes")


def test_a_server_that_stops_reading_is_filled(start):
    program = start(
        """
        import socket
        listener = socket.create_server(("127.0.0.1", 0))
        conn, _ = listener.accept()
        listener.accept()
        """
    )
    with Client(program, small_buffers=True) as client:
        assert 0 < client.fill() < 64_000_000


HUNGRY = RIGHT.replace("conn.sendall(data)", "pass")


def test_a_server_that_takes_everything_is_told_so(start):
    with Client(start(HUNGRY, "127.0.0.1", 0)) as client:
        with pytest.raises(Failed, match="took 1,000,000 bytes") as failure:
            client.fill(1_000_000)
    assert "unbounded" in failure.value.signs


# Programs that are clients

CONVERSES = """
import socket, sys
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
socks = [socket.create_connection((host, port)) for _ in range(count)]
for number, sock in enumerate(socks):
    sock.sendall(b"%d" % number)
for sock in socks:
    print(sock.recv(100).decode())
"""


def test_a_listener_serves_a_clients_connections_in_reverse_order(start):
    with Listener() as listener:
        program = start(CONVERSES, listener.host, listener.port, 3)
        conns = listener.accept_all(program, 3)
        listener.nobody(program)
        for number, conn in reversed(list(enumerate(conns))):
            conn.expect(b"%d" % number)
            conn.send(b"reply %d" % number)
        assert finished(program).split("\n")[:3] == ["reply 0", "reply 1", "reply 2"]


def test_a_client_that_never_comes_or_ends_badly_is_told_so(start):
    with Listener() as listener:
        with pytest.raises(Failed, match="It ended, and connection 1 never came"):
            listener.accept(start("pass"))
        with pytest.raises(Failed, match="Connection 1 did not come in time") as failure:
            listener.accept(start("import time; time.sleep(99)", patience=0.5))
    assert {"no connection", "waits", "at sleep"} <= set(failure.value.signs)
    with Listener() as listener, pytest.raises(Failed, match="did not come") as failure:
        listener.accept(start("while True: pass", patience=1.0))
    assert {"no connection", "busy"} <= set(failure.value.signs)
    with pytest.raises(Failed, match="exit code 1") as failure:
        finished(start(CONVERSES, "127.0.0.1", free_port("127.0.0.1"), 1))
    assert "crash ConnectionRefusedError" in failure.value.signs
    with pytest.raises(Failed, match="still runs"):
        finished(start("while True: pass", patience=0.5))


# Counted from outside

IDLE = "import time; print(flush=True); time.sleep(99)"
SPINS = "print(flush=True)\nwhile True: pass"
POLLS = "import time; print(flush=True)\nwhile True: time.sleep(0.001)"


@pytest.mark.parametrize(
    ("source", "busy", "polling"), [(IDLE, False, False), (SPINS, True, False)]
)
def test_a_busy_program_is_told_from_an_idle_one(start, source, busy, polling):
    program = start(source)
    assert program.wait_until(lambda: program.stdout, 20)
    watched = program.watch()
    assert (watched.busy, watched.polling) == (busy, polling), watched


@LINUX
def test_a_program_that_wakes_up_again_and_again_is_seen(start):
    program = start(POLLS)
    assert program.wait_until(lambda: program.stdout, 20)
    assert program.watch().polling


def test_threads_are_counted(start):
    program = start(
        """
        import threading
        for _ in range(4):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        print(flush=True)
        threading.Event().wait()
        """
    )
    assert program.wait_until(lambda: program.stdout, 20)
    assert program.threads() == 5


def test_a_paused_program_stands_still_with_all_its_threads(start):
    program = start(
        """
        import threading
        def works():
            while True:
                pass
        for _ in range(8):
            threading.Thread(target=works, daemon=True).start()
        print(flush=True)
        works()
        """
    )
    assert program.wait_until(lambda: program.stdout, 20)
    for _ in range(50):
        with program.paused():
            before = program.wake_ups(), program.cpu_seconds()
            counts.burn(0.002)
            assert (program.wake_ups(), program.cpu_seconds()) == before
        assert not counts.stopped(program.family()[0])


def test_a_paused_program_does_nothing(start):
    program = start(RIGHT, "127.0.0.1", 0)
    with Client(program) as client:
        client.exchange(b"x", b"x")
        with program.paused():
            client.send(b"hello")
            assert client.unasked(0.05) == b""
        client.expect(b"hello")
