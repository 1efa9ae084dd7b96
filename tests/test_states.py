"""socket_states: the kernel's table of sockets, the same in every run, and its figure."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest
from drawn_text import touching, words_of

from socketlab import netstat
from socketlab.figures.states import draw_states
from socketlab.netstat import RFC_9293, SocketRow, parse_netstat
from socketlab.states import SocketStates, socket_states, wait_for_state

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 60.0  # seconds; only reached when something is broken
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems hold it otherwise")
unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


@pytest.fixture(autouse=True)
def look_before() -> None:
    """Other tests' connections in TIME_WAIT are known as such before a listener has their port."""
    socket_states()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What a test enters here is left at its end."""
    with ExitStack() as stack:
        yield stack


def listen(stack: ExitStack) -> socket.socket:
    """A listener whose port nobody has had lately: clients of another test's server, which had it
    before, may have left TIME_WAIT at their end, and that stops no bind()."""
    while True:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        if states_of(port) == ["LISTEN"]:
            return listener


def states_of(port: int) -> list[str]:
    return [row.state for row in netstat.all_rows() if port in row.ports]


@pytest.fixture
def listener(stack: ExitStack) -> socket.socket:
    return listen(stack)


def connect(stack: ExitStack, listener: socket.socket) -> socket.socket:
    """A client's socket, connected and not accepted."""
    return stack.enter_context(socket.create_connection(listener.getsockname()[:2]))


def accept(stack: ExitStack, listener: socket.socket) -> socket.socket:
    return stack.enter_context(listener.accept()[0])


# The table


def test_a_listener(listener: socket.socket) -> None:
    assert repr(socket_states(listener)) == (
        "state   local address     remote address  held by\n"
        "LISTEN  127.0.0.1:server  -               this process"
    )


@linux
def test_a_connection_waits_in_the_kernel_for_accept(
    stack: ExitStack, listener: socket.socket
) -> None:
    connect(stack, listener)
    assert repr(socket_states(listener)) == (
        "state        local address       remote address      held by\n"
        "LISTEN       127.0.0.1:server    -                   this process\n"
        "ESTABLISHED  127.0.0.1:client A  127.0.0.1:server    this process\n"
        "ESTABLISHED  127.0.0.1:server    127.0.0.1:client A  the kernel"
    )
    accept(stack, listener)
    assert [row.holder for row in socket_states(listener)] == ["this process"] * 3


def test_the_numbers_are_in_the_rows(stack: ExitStack, listener: socket.socket) -> None:
    sock = connect(stack, listener)
    conn = accept(stack, listener)
    table = socket_states(sock)
    client, server = sock.getsockname(), listener.getsockname()
    assert [(row.local, row.remote) for row in table] == [(client, server), (server, client)]
    assert [table.role(row) for row in table] == ["client A", "server"]
    assert [row.fd for row in table] == ([-1, -1] if sys.platform == "win32" else fds(sock, conn))
    numbered = repr(table.with_ports())
    assert f"127.0.0.1:{client[1]}  127.0.0.1:{server[1]}" in numbered
    assert "client A" not in numbered
    assert "client A" in repr(table)
    assert list(table.with_ports()) == list(table)
    assert len(table) == 2


def fds(*sockets: socket.socket) -> list[int]:
    return [sock.fileno() for sock in sockets]


def test_a_whole_life(stack: ExitStack, listener: socket.socket) -> None:
    sock = connect(stack, listener)
    conn = accept(stack, listener)
    sock.close()
    table = wait_for_state(listener, "CLOSE_WAIT", "FIN_WAIT2", timeout=DEADLINE)
    assert repr(table) == (
        "state       local address       remote address      held by\n"
        "LISTEN      127.0.0.1:server    -                   this process\n"
        "FIN_WAIT2   127.0.0.1:client A  127.0.0.1:server    the kernel\n"
        "CLOSE_WAIT  127.0.0.1:server    127.0.0.1:client A  this process"
    )
    conn.close()
    address = listener.getsockname()
    listener.close()
    table = wait_for_state(address, "TIME_WAIT", timeout=DEADLINE)
    assert repr(table) == (
        "state      local address       remote address    held by\n"
        "TIME_WAIT  127.0.0.1:client A  127.0.0.1:server  the kernel"
    )
    assert [row.pid for row in table] == [None]


def test_every_way_of_asking_gives_the_same_table(
    stack: ExitStack, listener: socket.socket
) -> None:
    connect(stack, listener)
    accept(stack, listener)
    address = listener.getsockname()
    handle = types.SimpleNamespace(address=address)
    ways = [listener, address, address[1], handle, ("localhost", address[1]), ("", address[1])]
    tables = [socket_states(way) for way in ways]
    assert [len(table) for table in tables] == [3] * len(ways)
    assert len({repr(table) for table in tables}) == 1


def test_another_address_with_the_same_port_is_another_socket(listener: socket.socket) -> None:
    assert len(socket_states(("192.0.2.1", listener.getsockname()[1]))) == 0
    assert repr(socket_states(("192.0.2.1", 65432))) == "no sockets"


def test_clients_are_lettered_in_order_of_their_descriptors(
    stack: ExitStack, listener: socket.socket
) -> None:
    socks = [connect(stack, listener) for _ in range(28)]
    for _ in socks:
        accept(stack, listener)
    table = socket_states(listener)
    letters = [table.roles[sock.getsockname()[1]].removeprefix("client ") for sock in socks]
    assert letters == [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "AA", "AB"]
    ends = [table.role(row) for row in table][1:]
    assert ends == [end for letter in letters for end in (f"client {letter}", "server")]


def test_letters_stay_while_sockets_come_and_go(stack: ExitStack, listener: socket.socket) -> None:
    first, second = connect(stack, listener), connect(stack, listener)
    before = socket_states(listener).roles
    first.close()
    connect(stack, listener)  # may get the descriptor that the first one had
    after = socket_states(listener).roles
    assert before.items() <= after.items()
    assert after[second.getsockname()[1]] == "client B"


def test_two_servers_are_numbered(stack: ExitStack, listener: socket.socket) -> None:
    other = listen(stack)
    table = socket_states(other, listener)
    assert table.roles == {
        other.getsockname()[1]: "server 1",
        listener.getsockname()[1]: "server 2",
    }
    assert [row.local for row in table] == [other.getsockname(), listener.getsockname()]


def test_sockets_of_another_process(stack: ExitStack) -> None:
    code = (
        "import socket; listener = socket.socket(); listener.bind(('127.0.0.1', 0));"
        "listener.listen();"
        "print(listener.getsockname()[1], flush=True); conn, _ = listener.accept(); conn.recv(1)"
    )
    words = [sys.executable, "-W", "error", "-c", code]
    port = 0
    while states_of(port) != ["LISTEN"]:  # a port without a past, as in listen()
        process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        stack.callback(process.kill)
        assert process.stdout
        port = int(process.stdout.readline())
    table = socket_states(port)
    assert [(row.state, row.holder) for row in table] == [("LISTEN", "another process")]
    if sys.platform != "darwin":  # where only root may see it
        assert [row.pid for row in table] == [process.pid]
    sock = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    assert repr(socket_states(sock)).startswith("state        local address       remote address")
    assert socket_states(sock).roles == {port: "server", sock.getsockname()[1]: "client A"}


# Without asking for anything


def ours(listener: socket.socket) -> list[tuple[str, str]]:
    """States and roles of this process's rows that have the listener's port."""
    table = socket_states()
    port = listener.getsockname()[1]
    return [(row.state, row.holder) for row in table if port in row.ports]


@linux
def test_nothing_asked_is_this_process(stack: ExitStack, listener: socket.socket) -> None:
    assert ours(listener) == [("LISTEN", "this process")]
    connect(stack, listener)
    established = ("ESTABLISHED", "this process")
    assert ours(listener) == [
        ("LISTEN", "this process"),
        established,
        ("ESTABLISHED", "the kernel"),
    ]
    accept(stack, listener)
    assert ours(listener) == [("LISTEN", "this process"), established, established]


def test_time_wait_shows_for_ports_that_were_seen(
    stack: ExitStack, listener: socket.socket
) -> None:
    socket_states()
    sock, conn, address = connect(stack, listener), accept(stack, listener), listener.getsockname()
    sock.close()
    conn.close()
    listener.close()
    wait_for_state(None, "TIME_WAIT", timeout=DEADLINE)
    assert [row.state for row in socket_states() if address in row.ends] == ["TIME_WAIT"]


UNSEEN = """
import socket
from socketlab.states import socket_states
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with socket.create_connection(listener.getsockname()), listener.accept()[0]:
        pass
print(socket_states())
"""


def run(code: str) -> str:
    """What a fresh interpreter prints for some code."""
    words = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stderr == ""
    return done.stdout


def test_time_wait_does_not_show_for_ports_that_were_not_seen() -> None:
    assert run(UNSEEN) == "no sockets\n"


OLD = """
import socket
old = socket.create_server(("127.0.0.1", 0))
import socketlab.states
late = socket.create_connection(old.getsockname())
accepted, _ = old.accept()
print(socketlab.states.socket_states())
print(len(socketlab.states.socket_states(old)))
for sock in (old, late, accepted):
    sock.close()
"""


def test_what_was_there_before_is_left_out_unless_asked_for() -> None:
    assert run(OLD) == "no sockets\n3\n"


ANOTHER = """
import socket
with socket.create_server(("127.0.0.1", 0)) as listener:
    client = socket.create_connection(listener.getsockname())
    listener.accept()[0].close()
    client.recv(1)
    client.close()
    print(listener.getsockname()[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="only SO_REUSEADDR of POSIX leaves TIME_WAIT")
def test_a_port_that_another_process_had_before_shows_nothing_of_it() -> None:
    port = int(run(ANOTHER))
    assert run(OLD.replace('"127.0.0.1", 0', f'"127.0.0.1", {port}')) == "no sockets\n3\n"


SCENE = """
import socket
from socketlab.states import socket_states, wait_for_state
listener = socket.socket()
listener.bind(("127.0.0.1", 0))  # no SO_REUSEADDR: nobody has had this port lately
listener.listen()
address = listener.getsockname()
socks = [socket.create_connection(address) for _ in range(4)]
print(socket_states(address))
conns = [listener.accept()[0] for _ in socks]
socks[2].close()
print(wait_for_state(address, "FIN_WAIT2", "CLOSE_WAIT"))
conns[1].close()
print(wait_for_state(listener, *["FIN_WAIT2", "CLOSE_WAIT"] * 2))
print(socket_states())
conns[2].close()
for sock in (listener, *socks, *conns):
    sock.close()
print(wait_for_state(address, *["TIME_WAIT"] * 4))
print(socket_states(address[1]))
"""


def test_the_table_is_the_same_in_every_run() -> None:
    first, *others = (run(SCENE) for _ in range(8))
    assert "client D" in first
    assert first.count("TIME_WAIT") >= 4
    assert others == [first] * len(others)
    assert not re.search(r":\d{4,}", first)


def test_a_jupyter_kernel_shows_none_of_its_own_sockets(tmp_path: Path) -> None:
    pytest.importorskip("ipykernel")
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from socketlab.states import *",
        "import socket; len(socket_states()), socket_states()",
        "with socket.create_server(('127.0.0.1', 0)) as listener: table = socket_states()\ntable",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(
        notebook, timeout=DEADLINE, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [cell.outputs[-1]["data"]["text/plain"] for cell in notebook.cells[1:]]
    assert shown == ["(0, no sockets)", repr(LISTENING)]


LISTENING = SocketStates(
    (SocketRow("tcp", "LISTEN", ("127.0.0.1", 5), None, "this process"),), {5: "server"}
)


STRANGER = """
import socket, sys
from socketlab import netstat
from socketlab.states import socket_states
port = None
while port is None or any(port in row.ports for row in netstat.all_rows()):  # see listen()
    stranger = socket.socket()
    stranger.bind(("127.0.0.1", 0))
    port = stranger.getsockname()[1]
stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
stranger.listen()
address = stranger.getsockname()
with socket.create_connection(address) as sock:
    stranger.accept()[0].close()  # the server's side closes first: TIME_WAIT is on its port
stranger.close()
{look}
listener = socket.create_server(address)
table = socket_states(listener)
listener.close()
print([row.state for row in table], len(socket_states(address)))
"""


@linux
def test_time_wait_of_strangers_does_not_show() -> None:
    assert run(STRANGER.format(look="socket_states(1)")) == "['LISTEN'] 0\n"


@linux
def test_time_wait_that_was_shown_stays() -> None:
    look = "socket_states(address)\nsocket_states(1)"
    assert run(STRANGER.format(look=look)) == "['LISTEN', 'TIME_WAIT'] 1\n"


# Other families


def test_ipv6_and_dual_stack(stack: ExitStack) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this computer has no dual-stack sockets")
    listener = stack.enter_context(socket.socket(socket.AF_INET6))
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", 0))
    listener.listen()
    port = listener.getsockname()[1]
    for host in ("127.0.0.1", "::1"):
        stack.enter_context(socket.create_connection((host, port)))
        accept(stack, listener)
    assert repr(socket_states(listener)) == (
        "state        local address              remote address               held by\n"
        "LISTEN       [::]:server                -                            this process\n"
        "ESTABLISHED  127.0.0.1:client A         127.0.0.1:server             this process\n"
        "ESTABLISHED  [::ffff:127.0.0.1]:server  [::ffff:127.0.0.1]:client A  this process\n"
        "ESTABLISHED  [::1]:client B             [::1]:server                 this process\n"
        "ESTABLISHED  [::1]:server               [::1]:client B               this process"
    )
    assert len(socket_states(("127.0.0.1", port))) == 3  # the listener takes it as well


def test_udp_has_no_states(stack: ExitStack) -> None:
    server, client = (
        stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
    )
    server.bind(("127.0.0.1", 0))
    client.connect(server.getsockname())
    assert "-      127.0.0.1:port A  -" in repr(socket_states(server))
    assert repr(socket_states(server.getsockname())).startswith(
        "state  local address       remote address    held by\n"
        "-      127.0.0.1:server    -                 this process"
    )


@unix
def test_unix_sockets_are_shown_by_their_path(stack: ExitStack, tmp_path: Path) -> None:
    path = str(tmp_path / "echo.sock")
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(path)
    listener.listen()
    sock = stack.enter_context(socket.socket(socket.AF_UNIX))
    sock.connect(path)
    stack.enter_context(listener.accept()[0])
    lines = (
        "state  local address  remote address  held by\n"
        "-      .../echo.sock  -               this process\n"
        "-      .../echo.sock  -               this process"
    )
    assert repr(socket_states(path)) == repr(socket_states(listener)) == lines
    assert path in repr(socket_states(path).with_ports())
    assert [row.local for row in socket_states() if row.protocol == "unix"] == [path, path]
    with pytest.raises(ValueError, match="no address"):
        socket_states(sock)


@linux
def test_a_name_in_the_abstract_namespace(stack: ExitStack) -> None:
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(b"\0" + str(id(stack)).encode())
    listener.listen()
    assert [row.local for row in socket_states(listener)] == [f"@{id(stack)}"]


def test_well_known_ports_keep_their_numbers() -> None:
    row = SocketRow("tcp", "ESTABLISHED", ("192.0.2.1", 50123), ("192.0.2.2", 443))
    assert "192.0.2.2:443" in repr(SocketStates((row,), {50123: "client A"}))


# Waiting


def test_wait_returns_when_it_happens(stack: ExitStack, listener: socket.socket) -> None:
    thread = threading.Thread(target=connect, args=(stack, listener))
    thread.start()
    table = wait_for_state(listener, "ESTABLISHED", timeout=DEADLINE)
    assert "ESTABLISHED" in repr(table)
    thread.join()


def test_wait_takes_the_words_of_the_standard(stack: ExitStack, listener: socket.socket) -> None:
    sock = connect(stack, listener)
    conn = accept(stack, listener)
    sock.close()
    wait_for_state([listener, conn], "CLOSE-WAIT", "FIN-WAIT-2", timeout=DEADLINE)
    assert set(RFC_9293) >= {row.state for row in socket_states(listener)}


def test_a_state_named_twice_needs_two_sockets(stack: ExitStack, listener: socket.socket) -> None:
    connect(stack, listener)
    wait_for_state(listener, "ESTABLISHED", "ESTABLISHED", timeout=DEADLINE)
    with pytest.raises(TimeoutError, match="no socket was ESTABLISHED within 0 s"):
        wait_for_state(listener, *["ESTABLISHED"] * 3, timeout=0)


@linux
def test_wait_waits_passing_states_out_unless_they_are_asked_for(
    stack: ExitStack, listener: socket.socket
) -> None:
    sock = connect(stack, listener)
    sock.setblocking(False)
    with suppress(BlockingIOError):  # nobody reads: then FIN cannot leave
        while sock.send(bytes(65536)):
            pass
    sock.close()
    accept(stack, listener)
    assert "FIN_WAIT1" in repr(wait_for_state(listener, "FIN_WAIT1", timeout=DEADLINE))
    assert "FIN_WAIT1" in repr(wait_for_state(listener, "LISTEN", timeout=0))  # better than none


def test_wait_says_what_it_saw_instead(listener: socket.socket) -> None:
    with pytest.raises(TimeoutError) as caught:
        wait_for_state(listener, "TIME_WAIT", "LISTEN", timeout=0)
    assert str(caught.value) == (
        f"no socket was TIME_WAIT within 0 s; seen last:\n{socket_states(listener)}"
    )


# Bad input


@pytest.mark.parametrize(
    "thing",
    [None, True, 1.5, "65432", "127.0.0.1:65432", "127.0.0.1", "", b"", (), ("127.0.0.1",), [1]],
)
def test_what_is_no_address_is_a_type_error(thing: object) -> None:
    with pytest.raises(
        TypeError, match=r"is not a port number, an address \('127.0.0.1', 65432\)"
    ):
        socket_states(thing)


@pytest.mark.parametrize("thing", [0, -1, 65536, ("127.0.0.1", 0), ("127.0.0.1", 70000)])
def test_a_port_out_of_range_is_a_value_error(thing: object) -> None:
    with pytest.raises(ValueError, match="a port is a number from 1 to 65535, not"):
        socket_states(thing)


def test_a_socket_without_an_address_is_a_value_error(listener: socket.socket) -> None:
    with closing(socket.socket()) as sock, pytest.raises(ValueError, match="bind"):
        socket_states(sock)
    listener.close()
    with pytest.raises(ValueError, match="closed"):
        socket_states(listener)


@pytest.mark.parametrize("states", [(), ("",), ("LISTENING",), ("LISTEN", "-")])
def test_a_state_that_tcp_has_not_is_a_value_error(states: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"TCP has no state '.*'; it has LISTEN, SYN_SENT,"):
        wait_for_state(1, *states)


@pytest.mark.parametrize(
    ("timeout", "error"),
    [(-1, ValueError), (float("nan"), ValueError), ("5", TypeError), (None, TypeError)],
)
def test_a_bad_timeout(timeout: float, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeout is a number of seconds"):
        wait_for_state(1, "LISTEN", timeout=timeout)


# macOS

NETSTAT = """\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)
tcp4       0      0  127.0.0.1.65432        127.0.0.1.50123        TIME_WAIT
tcp6       0      0  ::1.65432              ::1.50124              FIN_WAIT_2
tcp6       0      0  fe80::1%lo0.1024       fe80::1%lo0.1025       ESTABLISHED
tcp46      0      0  *.8080                 *.*                    LISTEN
tcp4       0      0  192.168.1.5.52133      17.57.146.52.5223      SYN_RCVD
tcp4       0      0  127.0.0.1.50125        127.0.0.1.65432        CLOSED
udp4       0      0  *.5353                 *.*
Active Multipath Internet connections
Proto/ID  Flags      Local Address          Foreign Address        (state)
"""


def test_parse_netstat() -> None:
    assert [(row.state, row.local, row.remote) for row in parse_netstat(NETSTAT)] == [
        ("TIME_WAIT", ("127.0.0.1", 65432), ("127.0.0.1", 50123)),
        ("FIN_WAIT2", ("::1", 65432), ("::1", 50124)),
        ("ESTABLISHED", ("fe80::1%lo0", 1024), ("fe80::1%lo0", 1025)),
        ("LISTEN", ("*", 8080), None),
        ("SYN_RECV", ("192.168.1.5", 52133), ("17.57.146.52", 5223)),
        ("CLOSE", ("127.0.0.1", 50125), ("127.0.0.1", 65432)),
    ]
    assert parse_netstat("") == []


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """macOS without root: psutil refuses the machine's table, netstat prints the lines given."""
    lines: list[str] = []

    def refuse(kind: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(netstat.psutil, "net_connections", refuse)
    monkeypatch.setattr(netstat, "sys", types.SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(netstat, "_netstat", lambda: "\n".join(lines))
    return lines


def test_a_mac_adds_what_netstat_knows(
    mac: list[str], stack: ExitStack, listener: socket.socket
) -> None:
    sock = connect(stack, listener)
    server, client = listener.getsockname()[1], sock.getsockname()[1]
    gone = 1024 if server != 1024 else 1025
    mac += [
        f"tcp4  0  0  127.0.0.1.{server}  127.0.0.1.{client}  ESTABLISHED",
        f"tcp4  0  0  127.0.0.1.{client}  127.0.0.1.{server}  ESTABLISHED",
        f"tcp4  0  0  127.0.0.1.{server}  *.*  LISTEN",
        f"tcp4  0  0  127.0.0.1.{server}  127.0.0.1.{gone}  TIME_WAIT",
        f"tcp4  0  0  127.0.0.1.{gone}  127.0.0.1.{gone + 1}  ESTABLISHED",
    ]
    table = socket_states(listener)
    assert sorted((row.state, table.role(row), row.holder) for row in table) == [
        ("ESTABLISHED", "client A", "this process"),
        ("ESTABLISHED", "server", "the kernel"),  # not accepted yet
        ("LISTEN", "server", "this process"),
        ("TIME_WAIT", "server", "the kernel"),
    ]
    assert [row.holder for row in socket_states(gone + 1)] == ["another process"]


# The figure


def scene(stack: ExitStack) -> dict[str, SocketStates]:
    """A connection's whole life: the client closes first."""
    listener = listen(stack)
    steps = {"listen()": socket_states(listener)}
    sock = connect(stack, listener)
    steps["connect()"] = socket_states(listener)
    conn = accept(stack, listener)
    steps["accept()"] = socket_states(listener)
    sock.close()
    steps["client: close()"] = wait_for_state(
        listener, "FIN_WAIT2", "CLOSE_WAIT", timeout=DEADLINE
    )
    conn.close()
    steps["server: close()"] = wait_for_state(listener, "TIME_WAIT", timeout=DEADLINE)
    return steps


@linux
def test_the_figure_in_words(stack: ExitStack) -> None:
    assert repr(draw_states(scene(stack))) == (
        "after            client                  server                    listener\n"
        "listen()         -                       -                         LISTEN\n"
        "connect()        ESTABLISHED             ESTABLISHED (the kernel)  LISTEN\n"
        "accept()         ESTABLISHED             ESTABLISHED               LISTEN\n"
        "client: close()  FIN_WAIT2 (the kernel)  CLOSE_WAIT                LISTEN\n"
        "server: close()  TIME_WAIT (the kernel)  -                         LISTEN"
    )


@linux
def test_the_figure_shows_every_state_once(stack: ExitStack) -> None:
    figure = draw_states(scene(stack)).figure
    words = {word: len(places) for word, places in words_of(figure).items()}
    assert words["The client closes first, so TIME_WAIT stays on its side"] == 1
    assert words["ESTABLISHED"] == 3  # of the client, of the server before and after accept()
    for state in ("LISTEN", "FIN_WAIT2", "TIME_WAIT", "CLOSE_WAIT", "handshake", "gone"):
        assert words[state] == 1
    assert words["FIN"] == 2
    assert touching(figure) == []


PAIRS = {
    "connect()": ("ESTABLISHED", "ESTABLISHED"),
    "server: close()": ("CLOSE_WAIT", "FIN_WAIT2"),
    "client: close()": (None, "TIME_WAIT"),
}


def test_the_figure_of_pairs() -> None:
    picture = draw_states(PAIRS)
    assert repr(picture) == (
        "after            client       server\n"
        "connect()        ESTABLISHED  ESTABLISHED\n"
        "server: close()  CLOSE_WAIT   FIN_WAIT2 (the kernel)\n"
        "client: close()  -            TIME_WAIT (the kernel)"
    )
    assert "The server closes first, so TIME_WAIT stays on its side" in words_of(picture.figure)
    assert touching(picture.figure) == []
    assert picture.png() == draw_states(PAIRS).png()


ALL = [None, *RFC_9293]


@pytest.mark.parametrize("state", ALL)
def test_no_words_touch_whatever_the_states(state: str | None) -> None:
    steps = {f"a call with a long name: {other}": (state, other) for other in ALL}
    assert touching(draw_states(steps, title="A title", subtitle=None).figure) == []


def test_the_title_is_the_callers_if_there_is_one() -> None:
    words = words_of(draw_states(PAIRS, title="My title", subtitle="My subtitle").figure)
    assert {"My title", "My subtitle"} <= set(words)


@pytest.mark.parametrize(
    ("steps", "error", "words"),
    [
        ({}, ValueError, "no steps"),
        ({"x()": ("LISTENING", None)}, ValueError, "TCP has no state 'LISTENING'"),
        ({"x()": "LISTEN"}, TypeError, r"after 'x\(\)' there must be a table"),
        ({"x()": ("LISTEN",)}, TypeError, "not .*LISTEN"),
        ([("x()", (None, None))], TypeError, "steps is a mapping"),
    ],
)
def test_bad_steps(steps: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        draw_states(steps)


def test_a_table_with_two_connections_is_refused(
    stack: ExitStack, listener: socket.socket
) -> None:
    for _ in range(2):
        connect(stack, listener)
        accept(stack, listener)
    with pytest.raises(ValueError, match="several connections"):
        draw_states({"x()": socket_states(listener)})


def test_a_table_without_a_known_server_is_refused() -> None:
    row = SocketRow("tcp", "ESTABLISHED", ("127.0.0.1", 50123), ("127.0.0.1", 50124))
    table = SocketStates((row,), {50123: "port A", 50124: "port B"})
    with pytest.raises(ValueError, match="not known which end is the server's"):
        draw_states({"x()": table})
