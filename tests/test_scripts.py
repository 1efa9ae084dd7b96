"""The echo programs in scripts/, as processes, against each other and others."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from running import (
    DEADLINE,
    ECHO,
    RESET,
    SCRIPTS,
    Address,
    Server,
    command,
    echoed,
    error_line,
    has_ipv6,
    posix,
    run,
    started,
    tool,
)

from socketlab.states import wait_for_state

SERVERS = [ECHO, "multiconn-server.py"]
CLIENTS = ["echo-client.py", "multiconn-client.py"]


def client(*arguments: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The life of one echo-client.py."""
    return run(*command("echo-client.py", *arguments), data=data)


@pytest.fixture(params=SERVERS)
def script(request: pytest.FixtureRequest) -> str:
    """Each of the echo servers: a single client cannot tell them apart."""
    return request.param


@pytest.fixture
def server(servers: ExitStack, script: str) -> Server:
    """A server on a port that the system chose."""
    return started(servers, script=script)


# Each other


def test_server_says_where_it_listens(server: Server) -> None:
    host, port = server.address
    assert host == "127.0.0.1"
    assert 0 < port < 65536
    assert server.line == f"listening on 127.0.0.1:{port}\n"


def test_messages_come_back_as_lines(server: Server) -> None:
    done = client(*server.address, "hello", "how are you?", "ünïcödé €")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == "hello\nhow are you?\nünïcödé €\n".encode()


@posix
def test_a_message_that_is_not_utf8_keeps_its_bytes(server: Server) -> None:
    assert client(*server.address, os.fsdecode(b"\xff\xfe")).stdout == b"\xff\xfe\n"


@pytest.mark.parametrize("data", [b"", b"1\n2\n3\n", b"no newline", b"\r\n\0\xff\n\n"])
def test_standard_input_comes_back_unchanged(server: Server, data: bytes) -> None:
    done = client(*server.address, data=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")


def test_ten_megabytes_come_back_unchanged(server: Server) -> None:
    data = os.urandom(10_000_000)
    done = client(*server.address, data=data)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data


def test_client_is_interactive(server: Server) -> None:
    words = command("echo-client.py", *server.address)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for line in (b"first\n", b"second\n"):  # the answer comes while standard input is open
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == line
        process.stdin.close()
        assert process.wait(DEADLINE) == 0


def test_clients_are_served_one_after_another(servers: ExitStack) -> None:
    server = started(servers)
    with server.connect() as first, server.connect() as second:
        second.sendall(b"second")
        first.sendall(b"first")
        assert first.recv(1024) == b"first"
        second.setblocking(False)
        with pytest.raises(BlockingIOError):  # connected, sent, and not served yet
            second.recv(1024)
        second.settimeout(DEADLINE)
        first.close()
        assert second.recv(1024) == b"second"


def test_both_speak_ipv6(servers: ExitStack, script: str) -> None:
    if not has_ipv6():
        pytest.skip("this computer has no IPv6 loopback address")
    server = started(servers, "::1", script=script)
    assert server.line == f"listening on [::1]:{server.address[1]}\n"
    assert client(*server.address, "hello").stdout == b"hello\n"


def test_host_names_work(servers: ExitStack, script: str) -> None:
    server = started(servers, "localhost", script=script)
    assert client("localhost", server.address[1], "hello").stdout == b"hello\n"


# Other clients


def test_netcat(server: Server) -> None:
    nc = tool("nc", ("-h",), "-N")
    host, port = server.address
    assert run(nc, "-N", host, str(port), data=b"hello\n").stdout == b"hello\n"


def test_curl(server: Server) -> None:
    curl = tool("curl", ("--version",), " telnet")
    host, port = server.address
    words = (curl, "--silent", "--no-buffer", "--max-time", str(DEADLINE))
    with subprocess.Popen(
        (*words, f"telnet://{host}:{port}"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"hello\n"
        process.kill()  # curl does not half-close: it would wait for the server's end
    assert echoed(server) == b"still there?"


def test_socat(server: Server) -> None:
    host, port = server.address
    done = run(tool("socat"), f"-t{DEADLINE}", "-", f"TCP:{host}:{port}", data=b"hello\n")
    assert done.stdout == b"hello\n"


@posix
def test_bash(server: Server) -> None:
    host, port = server.address
    talk = f"exec 3<>/dev/tcp/{host}/{port} || exit 77; echo hello >&3; head -n 1 <&3"
    done = run(tool("bash"), "-c", talk)
    if done.returncode == 77 and b"/dev/tcp" in done.stderr and echoed(server):
        pytest.skip("this bash was built without /dev/tcp")
    assert done.stdout == b"hello\n"


# Clients that misbehave


def test_the_next_client_is_served_after_a_reset(server: Server, script: str) -> None:
    with server.connect() as sock:
        sock.sendall(b"hello")
        assert sock.recv(1024) == b"hello"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    assert echoed(server) == b"still there?"
    _, _, err = server.stop()
    told = b"a client broke off: " if script == ECHO else b""  # many could fill a pipe with it
    assert err.startswith(told)
    assert err.count(b"\n") == (1 if told else 0)


def test_a_reset_in_the_accept_queue_harms_nobody(server: Server) -> None:
    with server.connect() as first:
        first.sendall(b"1")
        assert first.recv(1) == b"1"
        with server.connect() as queued:
            queued.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    assert echoed(server) == b"still there?"


def test_a_client_that_never_reads_and_leaves_harms_nobody(server: Server) -> None:
    with server.connect() as sock:
        sock.setblocking(False)
        with suppress(BlockingIOError):  # then the server is stuck in sendall()
            while sock.send(bytes(65536)):
                pass
    assert echoed(server) == b"still there?"


# The end of a server


@posix
@pytest.mark.parametrize("connected", [False, True], ids=["in accept", "in recv"])
def test_ctrl_c_ends_the_server_quietly(server: Server, connected: bool) -> None:
    with ExitStack() as stack:
        if connected:
            sock = stack.enter_context(server.connect())
            sock.sendall(b"hello")
            assert sock.recv(1024) == b"hello"
        assert server.stop(signal.SIGINT) == (0, b"", b"")


@posix
def test_sigterm_ends_the_server_quietly(server: Server) -> None:
    assert server.stop(signal.SIGTERM) == (-signal.SIGTERM, b"", b"")


@posix
def test_the_server_starts_again_at_once(servers: ExitStack, script: str, server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"hello")
        assert sock.recv(1024) == b"hello"
        server.stop(signal.SIGINT)  # the server closes first, so TIME_WAIT is on its port
        assert sock.recv(1024) == b""
    wait_for_state(server.address, "TIME_WAIT", timeout=DEADLINE)
    again = started(servers, *server.address, script=script)
    assert again.address == server.address
    assert echoed(again) == b"still there?"


# Errors of the server


def test_a_port_in_use(server: Server, script: str) -> None:
    host, port = server.address
    line = error_line(run(*command(script, host, port)))
    assert line.startswith(f"error: port {port} is in use: stop ")
    assert echoed(server) == b"still there?"


def unprivileged() -> list[str]:
    """The words before a command that take away the right to ports below 1024."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return []
    return [tool("setpriv"), "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"]


def test_a_port_without_permission(script: str) -> None:
    bind = "import socket; socket.socket().bind(('127.0.0.1', 1))"
    if b"PermissionError" not in run(*unprivileged(), sys.executable, "-c", bind).stderr:
        pytest.skip("this computer lets everybody have ports below 1024")
    done = run(*unprivileged(), *command(script, "127.0.0.1", 1))
    assert error_line(done) == "error: no permission for port 1: choose one from 1024 to 65535"


def test_a_host_that_is_not_ours(script: str) -> None:
    line = error_line(run(*command(script, "192.0.2.1", 0)))  # RFC 5737: nobody's
    assert line.startswith("error: 192.0.2.1 is not an address of this computer: use ")


@pytest.mark.parametrize("script", [*SERVERS, *CLIENTS])
@pytest.mark.parametrize("host", ["no-such-host.invalid", "two..dots"])
def test_an_unknown_host(script: str, host: str) -> None:
    line = error_line(run(*command(script, host, 65432)))
    assert line.startswith(f"error: host {host!r} is unknown: ")


@pytest.mark.parametrize("script", [*SERVERS, *CLIENTS])
@pytest.mark.parametrize("port", ["65536", "-1", "http", "", "1e3", "٣", "9" * 5000])
def test_a_bad_port_number(script: str, port: str) -> None:
    done = run(*command(script, "127.0.0.1", "--", port))
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1].endswith(f"65535, not {port!r}")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("script", [*SERVERS, *CLIENTS])
def test_help(script: str) -> None:
    done = run(*command(script, "--help"))
    assert (done.returncode, done.stderr) == (0, b"")
    defaults = {"echo-client.py": 3, "multiconn-client.py": 4}.get(script, 2)
    assert len(re.findall(rb"\(default:\s", done.stdout)) == defaults
    assert b"127.0.0.1" in done.stdout
    assert b"65432" in done.stdout


# Errors of the client


def test_connection_refused() -> None:
    with socket.socket() as silent:  # bound, so the port is nobody else's; not listening
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        line = error_line(client("127.0.0.1", port, "hello"))
    assert line.startswith(f"error: connection refused by 127.0.0.1, port {port}: nobody listens")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops SYNs for a full queue")
def test_connecting_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        with ExitStack() as stack:
            fill_queue(stack, address)
            line = error_line(client(*address, "hello", "--timeout", "0.1"))
    assert line.startswith(f"error: timeout: no answer from 127.0.0.1, port {address[1]}: ")


def fill_queue(stack: ExitStack, address: Address) -> None:
    """Connect to a listener that never accepts until it takes no more."""
    for _ in range(8):
        sock = stack.enter_context(socket.socket())
        sock.setblocking(False)
        assert sock.connect_ex(address) in (0, errno.EINPROGRESS)


@pytest.mark.parametrize("how", ["reset", "closed"])
def test_the_server_breaks_off(how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        host, port = listener.getsockname()
        words = command("echo-client.py", host, port)
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            conn, _ = listener.accept()
            if how == "reset":
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            conn.close()
            process.wait(DEADLINE)  # while its standard input is still open
            out, err = process.communicate()
    assert (process.returncode, out) == (1, b"")
    line = f"error: connection reset: the server at {host}, port {port} left before the end"
    assert err.decode().splitlines() == [line]


def test_the_server_breaks_off_in_the_middle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        words = command("echo-client.py", *listener.getsockname())
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            with closing(listener.accept()[0]) as conn:
                conn.sendall(b"early")
                assert process.stdout
                assert process.stdout.read(5) == b"early"
                assert process.stdin
                process.stdin.write(bytes(100_000))
                assert conn.recv(1)  # the rest stays unread, so close() resets the connection
            process.wait(DEADLINE)
            _, err = process.communicate()
    assert process.returncode == 1
    assert err.startswith(b"error: connection reset: ")
    assert err.count(b"\n") == 1


def test_a_reader_of_the_output_that_leaves(server: Server) -> None:
    words = command("echo-client.py", *server.address)
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"first\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"first\n"
        process.stdout.close()
        process.stdin.write(b"second\n")
        process.stdin.flush()
        assert process.wait(DEADLINE) == 1
        if os.name == "posix":
            assert process.stderr.read() == b""
    assert echoed(server) == b"still there?"


@posix
def test_ctrl_c_ends_the_client_quietly(server: Server) -> None:
    words = command("echo-client.py", *server.address)
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"hello\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
        assert process.stderr
        assert process.stderr.read() == b""


@posix
def test_a_closed_standard_input_is_an_empty_one(server: Server) -> None:
    host, port = server.address
    words = " ".join(command("echo-client.py", host, port))
    done = run(tool("bash"), "-c", f"{words} <&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "soon"])
def test_a_bad_timeout(timeout: str) -> None:
    done = client("127.0.0.1", 65432, f"--timeout={timeout}")
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1].endswith(f"above 0, not {timeout!r}")


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.name)
def test_each_script_is_short(script: Path) -> None:
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 180
