"""Two hosts, in namespaces and imitated: who reaches whom, what it takes, that nothing is left."""

import contextlib
import errno
import gc
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import socketlab
from socketlab import background, draw_packets, hosts, record, two_hosts
from socketlab.hosts.packets import Packets, frames, parse
from socketlab.hosts.relay import RESET, Flow

WAYS = ("namespaces", "link")
FORBIDS = ("only Linux has", "does not allow")
BOUND = 10.0  # seconds that nothing here should need


def make(way: str, delay: float = 0.01) -> hosts.Hosts:
    """Two hosts made in this way; skips, with the reason, where the system refuses."""
    try:
        return two_hosts(delay, way=way)
    except OSError as error:
        if any(words in str(error) for words in FORBIDS):
            pytest.skip(str(error))
        raise


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each way in which two hosts are made."""
    return request.param


@pytest.fixture
def pair(way: str) -> Iterator[hosts.Hosts]:
    """Two hosts, 10 ms apart."""
    with make(way) as found:
        yield found


def serve_forever(listener: socket.socket) -> None:
    while True:
        conn, _ = listener.accept()
        with conn:
            while data := conn.recv(65536):
                conn.sendall(data)


def ask(host: hosts.Host, address: tuple[str, int], data: bytes = b"hello") -> bytes:
    """What a server echoes, up to its goodbye."""
    with host.create_connection(address, timeout=BOUND) as sock:
        sender = threading.Thread(target=send_and_end, args=(sock, data))
        sender.start()
        received = b"".join(iter(lambda: sock.recv(65536), b""))
        sender.join()
    return received


def send_and_end(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def connected(pair: hosts.Hosts) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection from left to right."""
    left, right = pair
    with right.create_server((right.address, 0)) as listener:
        listener.settimeout(BOUND)
        sock = left.create_connection(listener.getsockname(), timeout=BOUND)
        conn, _ = listener.accept()
    conn.settimeout(BOUND)
    with sock, conn:
        yield sock, conn


# --- conversations -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5, 1_000_000])
def test_an_echo_comes_back_whole(pair: hosts.Hosts, size: int) -> None:
    left, right = pair
    data = os.urandom(size)
    with background(serve_forever, right.create_server((right.address, 0))) as server:
        assert ask(left, server.address, data) == data


def test_both_directions_and_several_at_once(pair: hosts.Hosts) -> None:
    answers = []
    with contextlib.ExitStack() as stack:
        clients = []
        for here, there in ((pair.left, pair.right), (pair.right, pair.left)):
            listener = there.create_server((there.address, 0))
            server = stack.enter_context(background(serve_forever, listener))
            for number in range(4):
                words = f"{here.name} {number}".encode()
                call = lambda *args: answers.append(ask(*args))  # noqa: E731
                clients.append(threading.Thread(target=call, args=(here, server.address, words)))
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    assert sorted(answers) == sorted(
        f"{name} {n}".encode() for name in ("left", "right") for n in range(4)
    )


def test_a_byte_takes_its_time(way: str) -> None:
    with make(way, delay=0.05) as pair, connected(pair) as (sock, conn):
        start = time.monotonic()
        sock.sendall(b"x")
        assert conn.recv(1) == b"x"
        assert time.monotonic() - start >= 0.049


def test_connect_and_accept_take_a_handshake(way: str) -> None:
    with make(way, delay=0.03) as (left, right), record() as recording:
        with background(serve_forever, right.create_server((right.address, 0))) as server:
            ask(left, server.address)
    spans = {(span.side, span.call): span for span in recording}
    connect, accept = spans["client", "connect"], spans["server", "accept"]
    assert connect.end - connect.start >= 0.059
    assert spans["server", "recv"].conn == connect.conn == "A"
    met = [span.end for span in recording if span.call == "accept" and not span.error]
    assert met[0] - connect.start >= 0.089
    assert accept.side == "server"


def test_a_recording_is_the_same_as_on_loopback(way: str) -> None:
    with record() as near, background(serve_forever) as server:
        ask(socket, server.address)  # type: ignore[arg-type]
    with make(way) as (left, right), record() as far:
        with background(serve_forever, right.create_server((right.address, 0))) as server:
            ask(left, server.address)
    assert repr(near) == repr(far)
    assert "sendall(b'hello')  -->  recv() = b'hello'" in repr(far)


def test_addresses_are_those_of_the_hosts(pair: hosts.Hosts) -> None:
    with connected(pair) as (sock, conn):
        assert sock.getsockname()[0] == conn.getpeername()[0] == "192.0.2.10"
        assert conn.getsockname()[0] == sock.getpeername()[0] == "192.0.2.20"
        assert conn.getpeername() == sock.getsockname()
        assert sock.getpeername() == conn.getsockname()


def test_a_wildcard_takes_the_address_that_was_called(pair: hosts.Hosts) -> None:
    _, right = pair
    with right.create_server(("", 0)) as listener:
        host, port = listener.getsockname()
        assert host == "0.0.0.0"
        for called in ("127.0.0.1", right.address):
            with right.create_connection((called, port)) as sock:
                conn, address = listener.accept()
                with conn:
                    assert conn.getsockname()[0] == called
                    assert address == conn.getpeername() == sock.getsockname()


REACHED = {
    "127.0.0.1": [True, False, False, False],
    "192.0.2.20": [False, True, False, True],
    "0.0.0.0": [True, True, False, True],
}


@pytest.mark.parametrize("place", REACHED)
def test_who_reaches_which_address(pair: hosts.Hosts, place: str) -> None:
    left, right = pair
    found = []
    with right.create_server((place, 0)) as listener:
        port = listener.getsockname()[1]
        for host in (right, left):
            for address in ("127.0.0.1", right.address):
                with host.socket() as sock:
                    number = sock.connect_ex((address, port))
                    assert number in (0, errno.ECONNREFUSED)
                    found.append(number == 0)
    assert found == REACHED[place]


def test_what_is_not_there(pair: hosts.Hosts) -> None:
    left, right = pair
    with right.create_server((right.address, 0)) as listener:
        closed = listener.getsockname()
    with pytest.raises(ConnectionRefusedError):
        left.create_connection(closed)
    with left.socket() as sock:
        assert sock.connect_ex(("198.51.100.1", 9)) == errno.ENETUNREACH
    with pytest.raises(OSError) as caught:  # noqa: PT011  its words differ by platform
        left.create_server((right.address, 0))
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_bound_is_not_listening(pair: hosts.Hosts) -> None:
    left, right = pair
    with right.socket() as listener, left.socket() as sock:
        listener.bind((right.address, 0))
        assert sock.connect_ex(listener.getsockname()) == errno.ECONNREFUSED


def test_each_direction_ends_by_itself(pair: hosts.Hosts) -> None:
    with connected(pair) as (sock, conn):
        sock.shutdown(socket.SHUT_WR)
        assert conn.recv(1) == b""
        conn.sendall(b"still here")
        assert sock.recv(100) == b"still here"
        conn.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""


def test_a_reset_arrives(pair: hosts.Hosts) -> None:
    with connected(pair) as (sock, conn):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()
        with pytest.raises(ConnectionResetError):
            conn.recv(1)


def test_bytes_wait_for_a_slow_reader(pair: hosts.Hosts) -> None:
    """A writer whose reader does not read is stopped, and nothing is lost."""
    with connected(pair) as (sock, conn):
        sock.settimeout(0.3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 200_000_000:
                sent += sock.send(bytes(65536))
        assert 0 < sent < 200_000_000
        sock.shutdown(socket.SHUT_WR)
        received = 0
        while data := conn.recv(1_000_000):
            received += len(data)
    assert received == sent


class Reluctant:
    """A socket that takes three bytes, then none, then three again."""

    def __init__(self) -> None:
        self.taken, self.calls = b"", 0

    def send(self, data: bytes) -> int:
        self.calls += 1
        if self.calls % 2 == 0:
            raise BlockingIOError
        self.taken += data[:3]
        return min(3, len(data))


def test_what_a_socket_does_not_take_stays_in_line() -> None:
    target = Reluctant()
    flow = Flow(None, target)
    flow.due += [(0.0, b"hello, "), (0.0, b"world")]
    while flow.due:
        with contextlib.suppress(BlockingIOError):
            flow.give()
    assert target.taken == b"hello, world"


def test_selectors_and_connections_that_do_not_block(pair: hosts.Hosts) -> None:
    left, right = pair
    with right.create_server((right.address, 0)) as listener, left.socket() as sock:
        sock.setblocking(False)
        assert sock.connect_ex(listener.getsockname()) in (0, errno.EINPROGRESS, errno.EWOULDBLOCK)
        listener.settimeout(BOUND)
        conn, _ = listener.accept()
        with conn, selectors.DefaultSelector() as selector:
            conn.sendall(b"first")
            selector.register(sock, selectors.EVENT_READ)
            assert selector.select(BOUND)
            assert sock.recv(100) == b"first"


def test_a_timeout_is_kept_by_connect(way: str) -> None:
    with (
        make(way, delay=0.3) as (left, right),
        right.create_server((right.address, 0)) as listener,
    ):
        with pytest.raises(TimeoutError):
            left.create_connection(listener.getsockname(), timeout=0.05)


# --- packets -------------------------------------------------------------------------------------


@pytest.fixture
def packets() -> Packets:
    """Those of an echo between namespaces."""
    with make("namespaces") as pair, connected(pair) as (sock, conn):
        sock.sendall(b"hello")
        assert conn.recv(5) == b"hello"
        sock.shutdown(socket.SHUT_WR)
        assert conn.recv(1) == b""
    return pair.packets


def test_packets_of_handshake_data_and_goodbye(packets: Packets) -> None:
    said = [(packet.side, packet.flags) for packet in packets]
    assert said[:3] == [("left", "SYN"), ("right", "SYN+ACK"), ("left", "ACK")]
    assert {side for side, flags in said if "FIN" in flags} == {"left", "right"}
    assert {(p.side, p.data) for p in packets if p.data} == {("left", b"hello")}
    assert packets[2].time >= 0.019
    assert packets[1].ack == packets[0].seq + 1
    assert packets[0].source[0] == packets[1].target[0] == "192.0.2.10"


def test_a_refused_call_is_answered_with_a_reset() -> None:
    with make("namespaces") as pair:
        left, right = pair
        with left.socket() as sock:
            assert sock.connect_ex((right.address, 9)) == errno.ECONNREFUSED
    assert [packet.flags for packet in pair.packets] == ["SYN", "RST+ACK"]


def test_tshark_reads_the_same(packets: Packets, tmp_path: Path) -> None:
    if not (tshark := shutil.which("tshark")):
        pytest.skip("tshark is not installed")
    file = packets.save(tmp_path / "echo.pcap")
    fields = ["ip.src", "tcp.srcport", "tcp.flags.syn", "tcp.flags.fin", "tcp.len", "tcp.seq_raw"]
    command = [tshark, "-r", file, "-T", "fields", "-o", "tcp.check_checksum:TRUE"]
    command += [word for field in (*fields, "tcp.checksum.status") for word in ("-e", field)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    read = [tuple(line.split("\t")) for line in run.stdout.splitlines()]
    assert read == [
        (
            packet.source[0],
            str(packet.source[1]),
            str(int("SYN" in packet.flags)),
            str(int("FIN" in packet.flags)),
            str(len(packet.data)),
            str(packet.seq),
            "1",  # a good checksum
        )
        for packet in packets
    ]


def test_imitated_hosts_show_an_example_and_say_so() -> None:
    with make("link") as pair:
        with pytest.raises(RuntimeError, match="leave the `with` block"):
            _ = pair.packets
    assert "Recorded on another machine" in repr(pair.packets)
    assert [p.flags for p in pair.packets][:3] == ["SYN", "SYN+ACK", "ACK"]


def test_a_picture_of_packets_has_words() -> None:
    with make("link") as pair:
        pass
    picture = draw_packets(pair.packets)
    assert picture.png().startswith(b"\x89PNG")
    assert repr(picture) == repr(pair.packets)
    with pytest.raises(TypeError, match="two_hosts"):
        draw_packets([1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there are 0 packets"):
        draw_packets(Packets(pair.packets.capture[:24], 0.02))


FRAME = next(frame for _, frame in frames(hosts._example()))


def test_frames_that_are_no_packets() -> None:
    assert parse(FRAME).flags == "SYN"  # type: ignore[union-attr]
    for cut in range(len(FRAME)):
        assert parse(FRAME[:cut]) is None
    udp, fragment, arp = bytearray(FRAME), bytearray(FRAME), bytearray(FRAME)
    udp[14 + 9], fragment[14 + 6], arp[13] = 17, 0x20, 6
    assert not any(map(parse, (bytes(udp), bytes(fragment), bytes(arp))))
    padded = parse(FRAME + bytes(20))
    assert padded
    assert padded.data == b""


@given(st.binary(max_size=80), st.integers(0, len(FRAME)))
def test_no_frame_breaks_the_parser(noise: bytes, place: int) -> None:
    parse(noise)
    parse(FRAME[:place] + noise + FRAME[place + len(noise) :])


def test_a_capture_that_is_none() -> None:
    with pytest.raises(ValueError, match="not a capture"):
        Packets(b"hello", 0.02)


# --- which way, and what cannot be ---------------------------------------------------------------


def test_the_sentence_says_which_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def refuse(way: str, delay: float) -> object:
        tried.append(way)
        if way == "namespaces":
            raise OSError("this system does not allow network namespaces (of course)")
        return wire(way, delay)

    wire = hosts._wire
    monkeypatch.setattr(hosts, "_wire", refuse)
    monkeypatch.setattr(hosts, "_why", {})
    monkeypatch.delenv("SOCKETLAB_HOSTS", raising=False)
    for _ in range(2):
        with two_hosts(0.01) as pair:
            assert repr(pair) == (
                "Two hosts imitated on this one: a link between them holds each byte back, "
                "10 ms each way (because this system does not allow network namespaces "
                "(of course))."
            )
    assert tried == ["namespaces", "link", "link"]


def test_the_environment_may_say_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKETLAB_HOSTS", "link")
    with two_hosts() as pair:
        assert repr(pair).startswith("Two hosts imitated")
    monkeypatch.setenv("SOCKETLAB_HOSTS", "bridge")
    with pytest.raises(
        ValueError, match="SOCKETLAB_HOSTS is 'bridge': use 'namespaces' or 'link'"
    ):
        two_hosts()


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), 1000])
def test_a_delay_that_cannot_be(delay: float) -> None:
    with pytest.raises(ValueError, match="give seconds from 0 to 10"):
        two_hosts(delay)


def test_what_hosts_do_not_have(pair: hosts.Hosts) -> None:
    with pytest.raises(TypeError, match="a number of seconds"):
        two_hosts("20 ms")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="way is 'wifi'"):
        two_hosts(way="wifi")
    with pytest.raises(ValueError, match="IPv4 only"):
        pair.left.socket(socket.AF_INET6)
    pair.close()
    with pytest.raises(OSError, match="hosts are closed"):
        pair.left.socket()


# --- nothing is left -----------------------------------------------------------------------------


def held() -> tuple[list[str], list[int], int]:
    """Threads, child processes and the number of descriptors of this process."""
    gc.collect()
    children = [child.pid for child in psutil.Process().children(recursive=True)]
    return sorted(t.name for t in threading.enumerate()), children, psutil.Process().num_fds()


@pytest.mark.skipif(sys.platform == "win32", reason="counts descriptors")
@pytest.mark.parametrize("end", ["leave", "raise", "drop", "close twice", "open sockets"])
def test_nothing_is_left(way: str, end: str) -> None:
    with make(way):
        pass  # what is made once is made now
    before = held()
    with contextlib.suppress(ZeroDivisionError):
        if end == "drop":
            pair = make(way)
            del pair
        else:
            with make(way) as pair:
                listener = pair.right.create_server((pair.right.address, 0))
                sock = pair.left.create_connection(listener.getsockname())
                if end != "open sockets":
                    listener.close()
                    sock.close()
                if end == "raise":
                    _ = 1 / 0
                if end == "close twice":
                    pair.close()
            assert listener.fileno() == sock.fileno() == -1
    assert held() == before


INTERRUPTED = """
import os, signal, sys, threading
import psutil
from socketlab import two_hosts
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
try:
    with two_hosts(0.01, way=sys.argv[1]) as (left, right):
        listener = right.create_server((right.address, 0))
        for child in psutil.Process().children():
            assert os.getsid(child.pid) != os.getsid(0)  # an interrupt of the group is not for it
        os.kill(os.getpid(), signal.SIGINT)
        listener.accept()
except KeyboardInterrupt:
    print(len(psutil.Process().children()), threading.active_count(), listener.fileno())
"""


@contextlib.contextmanager
def running(source: str, *words: str) -> Iterator[subprocess.Popen]:
    """A new Python that runs this source; it is killed at the end if it still runs."""
    command = [sys.executable, "-c", source, *words]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_nothing_is_left_after_an_interrupt(way: str) -> None:
    make(way).close()
    with running(INTERRUPTED, way) as reader:
        out, err = reader.communicate(timeout=60)
    assert (out, err) == ("0 1 -1\n", "")


WAITS = """
import psutil
from socketlab import two_hosts
hosts = two_hosts(0.01, way="namespaces")
print(*(child.pid for child in psutil.Process().children()), flush=True)
input()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
@pytest.mark.parametrize("signal_", [signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)])
def test_the_cable_ends_with_its_process(signal_: int) -> None:
    make("namespaces").close()
    with running(WAITS) as reader:
        assert reader.stdout
        cable = psutil.Process(int(reader.stdout.readline()))
        reader.send_signal(signal_)
        reader.wait(60)
        assert gone(cable)


def gone(process: psutil.Process) -> bool:
    """Whether a process ends; nobody may ask for it then, and it stays a zombie."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def test_a_cable_that_was_killed_is_told() -> None:
    pair = make("namespaces")
    pair._wire._process.kill()  # type: ignore[attr-defined]
    pair._wire._process.wait()  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="has ended: call two_hosts"):
        pair.left.socket()
    with pytest.raises(OSError, match="has ended"):
        pair.close()
    pair.close()


# --- as an ordinary user -------------------------------------------------------------------------

ORDINARY = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from socketlab.hosts import two_hosts
with two_hosts(0.01, way="namespaces") as hosts:
    left, right = hosts
    with right.create_server((right.address, 0)) as listener:
        sock = left.create_connection(listener.getsockname())
        conn, address = listener.accept()
    with sock, conn:
        sock.sendall(b"hello")
        print(os.geteuid(), conn.recv(5), address[0])
print(hosts.packets[0].flags)
"""
NOBODY = 65534


def python_for_nobody() -> str:
    """A Python that an ordinary user may start; skips where there is none."""
    for name in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        test = as_nobody(name, "import sys; print(sys.version_info >= (3, 11))")
        if test.stdout == "True\n":
            return name
    pytest.skip("no Python 3.11 that an ordinary user may start")


def as_nobody(program: str, source: str, *words: str) -> subprocess.CompletedProcess:
    """Run a Python as an ordinary user."""
    switch = [
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "env",
        "-C",
        "/",
    ]
    command = [*switch, program, "-B", "-c", source, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_an_ordinary_user_has_hosts_too() -> None:
    make("namespaces").close()
    if os.geteuid() != 0:
        pytest.skip("the other tests of namespaces have just run as an ordinary user")
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copytree(Path(socketlab.__file__).parent, Path(folder, "socketlab"))
        run = as_nobody(python_for_nobody(), ORDINARY, folder)
    if "does not allow" in run.stderr:
        pytest.skip(run.stderr.strip().splitlines()[-1])
    assert run.stdout == f"{NOBODY} b'hello' 192.0.2.10\nSYN\n", run.stderr
