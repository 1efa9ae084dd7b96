"""scripts/multiconn-server.py and multiconn-client.py: many at a time, and none at another's cost.

What a single client sees of the server is in test_scripts.py.
"""

from __future__ import annotations

import ast
import asyncio
import errno
import os
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import ClassVar

import nbformat
import psutil
import pytest
from running import (
    DEADLINE,
    SCRIPTS,
    Server,
    command,
    echoed,
    loaded,
    posix,
    run,
    started,
    tool,
)

from socketlab import background
from socketlab.costs import room_for
from socketlab.harness.counts import asleep
from socketlab.peers import byte_by_byte, fill, reset_on_close, send_apart

SCRIPT = "multiconn-server.py"
CLIENT = "multiconn-client.py"
NOTEBOOK = SCRIPTS.parent / "notebooks" / "09_multi_connection_server.ipynb"
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@pytest.fixture
def server(servers: ExitStack) -> Server:
    """A multiconn-server.py on a port that the system chose."""
    return started(servers, script=SCRIPT)


def client(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    """The life of one multiconn-client.py."""
    return run(*command(CLIENT, *arguments))


def round_trips(sock: socket.socket, number: int) -> None:
    """Say something and hear it, so many times."""
    for _ in range(number):
        sock.sendall(b"hello")
        assert sock.recv(1024) == b"hello"


def to_the_end(sock: socket.socket) -> bytes:
    """All that sock receives, to its end of stream."""
    return b"".join(iter(lambda: sock.recv(1_000_000), b""))


def eventually(seen: Callable[[], object], wanted: object) -> None:
    """Look until seen() is what is wanted; nobody tells us when the other process gets there."""
    end = time.monotonic() + DEADLINE
    while (found := seen()) != wanted and time.monotonic() < end:
        time.sleep(0.002)
    assert found == wanted


# The server: bytes


def test_bytes_one_by_one(server: Server) -> None:
    data = "ünïcödé €".encode()
    with server.connect() as sock:
        send_apart(sock, byte_by_byte(data))
        sock.shutdown(socket.SHUT_WR)
        assert to_the_end(sock) == data


def test_each_client_gets_its_own_bytes(server: Server) -> None:
    with ExitStack() as stack:
        socks = [stack.enter_context(server.connect()) for _ in range(50)]
        for turn in range(3):
            for number, sock in enumerate(socks):
                sock.sendall(b"%d:%d," % (number, turn))
        for number, sock in enumerate(socks):
            sock.shutdown(socket.SHUT_WR)
            assert to_the_end(sock) == b"".join(b"%d:%d," % (number, turn) for turn in range(3))


def pumped(sock: socket.socket, data: bytes, sent: int) -> bytes:
    """What comes back while the rest of data is sent; sock is half-closed behind it."""
    sock.setblocking(False)
    back = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(sock, READ | WRITE)
        while ready := selector.select(DEADLINE):
            if ready[0][1] & WRITE:
                sent += sock.send(data[sent : sent + 1_000_000])
                if sent == len(data):
                    sock.shutdown(socket.SHUT_WR)
                    selector.modify(sock, READ)
            if ready[0][1] & READ:
                back += (piece := sock.recv(1_000_000))
                if not piece:
                    return bytes(back)
    raise TimeoutError(f"{sent} bytes sent, {len(back)} came back")


def test_fifty_megabytes_in_bounded_memory(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    echoed(server)
    before = process.memory_info().rss
    with server.connect() as sock:
        sent = fill(sock, 50_000_000)
        assert sent < 50_000_000  # it stopped reading, and all the buffers are full
        owing = process.memory_info().rss
        data = bytes(sent) + os.urandom(1_000_000) * 50
        assert pumped(sock, data, sent) == data
    for now in (owing, process.memory_info().rss):
        assert now - before < 2_000_000


def test_a_half_closed_client_gets_all_that_it_is_owed(server: Server) -> None:
    with server.connect() as sock:
        sent = fill(sock, 50_000_000)
        sock.shutdown(socket.SHUT_WR)
        assert len(to_the_end(sock)) == sent


# The server: one client is not another's business


def test_silent_clients_hold_up_nobody(server: Server) -> None:
    with server.connect(), server.connect():
        assert echoed(server) == b"still there?"


@pytest.mark.parametrize("leaves", ["reads at last", "closes", "resets"])
def test_a_client_that_does_not_read_holds_up_nobody(server: Server, leaves: str) -> None:
    with server.connect() as slow, server.connect() as other:
        sent = fill(slow, 50_000_000)
        round_trips(other, 3)
        if leaves == "reads at last":
            slow.shutdown(socket.SHUT_WR)
            assert len(to_the_end(slow)) == sent
        if leaves == "resets":
            reset_on_close(slow)
        slow.close()
        round_trips(other, 3)
    assert server.stop()[1:] == (b"", b"")


def test_many_wait_before_the_first_is_accepted(server: Server) -> None:
    os.kill(server.process.pid, signal.SIGSTOP)
    with ExitStack() as stack:
        socks = [stack.enter_context(server.connect()) for _ in range(300)]
        os.kill(server.process.pid, signal.SIGCONT)
        for sock in socks:
            round_trips(sock, 1)


@posix
def test_two_hundred_abrupt_clients_leave_no_descriptor(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    with server.connect() as sock:
        round_trips(sock, 1)
        before = process.num_fds()
        for number in range(200):
            with server.connect() as abrupt:
                reset_on_close(abrupt)
                if number % 2:
                    abrupt.sendall(b"unheard")
        round_trips(sock, 1)
        eventually(process.num_fds, before)


@posix
def test_descriptors_above_1024(server: Server) -> None:
    with room_for(1100) as allowed, ExitStack() as stack:
        if allowed < 1100:
            pytest.skip("this computer does not allow a process so many descriptors")
        socks = [stack.enter_context(server.connect()) for _ in range(1100)]
        for sock in socks:
            sock.sendall(b"hello")
        for sock in socks:
            assert sock.recv(1024) == b"hello"
        assert psutil.Process(server.process.pid).num_fds() > 1100


@posix
def test_without_descriptors_clients_wait_until_others_leave(servers: ExitStack) -> None:
    import resource

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))

    server = started(servers, script=SCRIPT, preexec_fn=few)
    with ExitStack() as stack:
        socks = [stack.enter_context(server.connect()) for _ in range(40)]
        for sock in socks:
            sock.sendall(b"hello")
        for sock in socks:
            assert sock.recv(1024) == b"hello"
            sock.close()
    assert echoed(server) == b"still there?"
    _, _, err = server.stop()
    assert err == b"new clients have to wait: [Errno 24] Too many open files\n"


@posix
def test_ctrl_c_while_bytes_are_owed(server: Server) -> None:
    with server.connect() as sock:
        fill(sock, 50_000_000)
        assert server.stop(signal.SIGINT) == (0, b"", b"")


# The server: what it does when there is nothing to do


class Counted(selectors.DefaultSelector):
    """A selector that counts how often select() returned, and keeps the interests it was told."""

    made: ClassVar[list[Counted]] = []

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0
        self.interests: set[int] = set()
        self.made.append(self)

    def select(self, timeout: float | None = None) -> list:
        found = super().select(timeout)
        self.turns += 1
        return found

    def register(self, fileobj, events, data=None):
        self.interests.add(events)
        return super().register(fileobj, events, data)

    def modify(self, fileobj, events, data=None):
        self.interests.add(events)
        return super().modify(fileobj, events, data)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Counted]:
    """The newest counting selector; all that are made as DefaultSelector count from now on."""
    Counted.made.clear()
    monkeypatch.setattr(selectors, "DefaultSelector", Counted)
    return lambda: Counted.made[-1]


def test_a_turn_for_each_message_and_none_for_the_silent(counted) -> None:
    with background(loaded(SCRIPT).serve_selectors) as server:
        with ExitStack() as stack:
            socks = [socket.create_connection(server.address) for _ in range(10)]
            for sock in socks:
                round_trips(stack.enter_context(sock), 1)
            before = counted().turns
            round_trips(socks[0], 20)
            assert counted().turns - before == 20
        eventually(lambda: len(counted().get_map()), 1)


def test_no_turns_for_those_who_left_or_do_not_read(counted) -> None:
    with background(loaded(SCRIPT).serve_selectors) as server:
        with socket.create_connection(server.address) as sock:
            round_trips(sock, 1)
            with socket.create_connection(server.address, DEADLINE) as slow:
                fill(slow, 50_000_000)
                eventually(
                    lambda: {key.events for key in counted().get_map().values()}, {READ, WRITE}
                )
                before = counted().turns
                round_trips(sock, 200)
                assert counted().turns - before < 300  # while the kernels still make room
                reset_on_close(slow)
            eventually(lambda: len(counted().get_map()), 2)
            before = counted().turns
            round_trips(sock, 20)
            assert counted().turns - before == 20
        assert counted().interests == {READ, WRITE}  # never both: no write after a close


def test_no_turns_for_one_that_was_slow_and_has_all_it_is_owed(counted) -> None:
    with background(loaded(SCRIPT).serve_selectors) as server:
        with socket.create_connection(server.address, DEADLINE) as slow:
            sent = fill(slow, 50_000_000)
            while sent:
                sent -= len(slow.recv(1_000_000))
            with socket.create_connection(server.address, DEADLINE) as sock:
                round_trips(slow, 1)
                round_trips(sock, 1)
                before = counted().turns
                round_trips(sock, 20)
                assert counted().turns - before == 20
        assert WRITE in counted().interests


class Poor(socket.socket):
    """A listener for which the system has no more sockets."""

    refused = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.refused += 1
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_without_descriptors_it_does_not_spin(monkeypatch, capsys) -> None:
    module = loaded(SCRIPT)
    monkeypatch.setattr(module, "PAUSE", 0.01)
    with closing(Poor()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        with selectors.DefaultSelector() as selector, socket.socket() as waiting:
            selector.register(listener, READ)
            waiting.connect(listener.getsockname())
            for turn in range(1, 4):
                module.serve_or_pause(
                    selector, listener, module.echo
                )  # returns: the pause is over
                assert listener.refused == turn
    assert capsys.readouterr().err.count("new clients have to wait") == 1


class Nobody(socket.socket):
    """A listener whose next client has left the queue: not Linux, which does not tell."""

    refused = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.refused += 1
        raise ConnectionAbortedError if self.refused == 1 else BlockingIOError


def test_a_client_that_left_the_queue_is_passed_over() -> None:
    with Nobody() as listener, selectors.DefaultSelector() as selector:
        loaded(SCRIPT).accept_all(selector, listener)
        assert listener.refused == 2


# The server and other people's clients


def test_asyncio_streams(server: Server) -> None:
    async def talk(number: int) -> bytes:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"%d" % number * 1000)
        writer.write_eof()
        data = await reader.read()
        writer.close()
        await writer.wait_closed()
        return data

    async def all_talk() -> list[bytes]:
        return await asyncio.gather(*map(talk, range(20)))

    assert asyncio.run(all_talk()) == [b"%d" % number * 1000 for number in range(20)]


# The client


def lines_of(done: subprocess.CompletedProcess[bytes], code: int) -> tuple[list[str], list[str]]:
    """What was printed on standard output and on standard error, in order of connection."""
    assert done.returncode == code, done
    return sorted(done.stdout.decode().splitlines()), sorted(done.stderr.decode().splitlines())


def all_well(number: int, nbytes: int = 6) -> tuple[list[str], list[str]]:
    """What the client prints if every conversation went well."""
    words = f"{nbytes} of {nbytes} bytes came back"
    return sorted(f"connection {k}: {words}" for k in range(1, number + 1)), []


@pytest.mark.parametrize("script", [SCRIPT, "echo-server.py"])
def test_our_client_on_our_servers(servers: ExitStack, script: str) -> None:
    server = started(servers, script=script)
    assert lines_of(client(*server.address), 0) == all_well(3)
    assert lines_of(client(*server.address, "ü €", "", "-n", 5), 0) == all_well(5, nbytes=8)


def test_long_messages_that_nobody_has_room_for(server: Server) -> None:
    words = ["x" * 100_000] * 10
    assert lines_of(client(*server.address, *words, "-n", 4), 0) == all_well(4, nbytes=1_000_010)


def test_our_client_on_socat() -> None:
    words = (tool("socat"), "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1,fork", "PIPE")
    with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
        assert process.stderr
        port = process.stderr.readline().decode().strip().rpartition(":")[2]
        try:
            assert lines_of(client("127.0.0.1", port, "-n", 5), 0) == all_well(5)
        finally:
            process.kill()


def test_our_client_on_asyncio_streams() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(3):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve() -> subprocess.CompletedProcess[bytes]:
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as it:
            address = it.sockets[0].getsockname()
            return await asyncio.to_thread(client, *address, "-n", 20)

    assert lines_of(asyncio.run(serve()), 0) == all_well(20)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """The address of a listener that is served by a function of a test."""
    with background(serve) as server:
        yield server.address


def test_all_conversations_last_at_the_same_time() -> None:
    def serve(listener: socket.socket) -> None:
        conns = [listener.accept()[0] for _ in range(60)]  # no answer before all are there
        for conn in conns:
            with conn:
                conn.sendall(to_the_end(conn))

    with listening(serve) as address:
        assert lines_of(client(*address, "-n", 60), 0) == all_well(60)


def test_answers_byte_by_byte() -> None:
    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as conn:
            send_apart(conn, byte_by_byte(to_the_end(conn)))

    with listening(serve) as address:
        assert lines_of(client(*address, "-n", 1), 0) == all_well(1)


def test_each_connection_fails_in_its_own_way() -> None:
    client_ended = threading.Event()
    answers = [b"hello\n", b"HELLO\n", b"hel", b"hello\n!", None, "reset"]

    def serve(listener: socket.socket) -> None:
        conns = [listener.accept()[0] for _ in answers]
        for conn, answer in zip(conns, answers, strict=True):
            assert to_the_end(conn) == b"hello\n"
            if isinstance(answer, bytes):
                conn.sendall(answer)
                conn.close()
            elif answer:
                reset_on_close(conn)
                conn.close()
        client_ended.wait(DEADLINE)
        conns[4].close()

    with listening(serve) as address:
        out, err = lines_of(client(*address, "-n", len(answers), "--timeout", 1), 1)
        client_ended.set()
    where = f"at {address[0]}, port {address[1]} left before the end"
    timeout = f"timeout: no answer from {address[0]}, port {address[1]}: is the host on, and not "
    assert out == ["connection 1: 6 of 6 bytes came back"]
    assert err == [
        r"connection 2: 0 of 6 bytes came back: b'HELLO\n' came back where b'hello\n' was sent",
        f"connection 3: 3 of 6 bytes came back: connection reset: the server {where}",
        r"connection 4: 0 of 6 bytes came back: b'hello\n!' came back where b'hello\n' was sent",
        f"connection 5: 0 of 6 bytes came back: {timeout}too busy?",
        f"connection 6: 0 of 6 bytes came back: connection reset: the server {where}",
    ]


def test_refused() -> None:
    with socket.socket() as bound:  # so the port is nobody else's; not listening
        bound.bind(("127.0.0.1", 0))
        out, err = lines_of(client(*bound.getsockname()), 1)
    assert out == []
    assert [line.partition(" by ")[0] for line in err] == [
        f"connection {k}: 0 of 6 bytes came back: connection refused" for k in (1, 2, 3)
    ]


def test_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # nobody accepts
        out, err = lines_of(client(*listener.getsockname(), "--timeout", 0.1), 1)
    assert out == []
    assert [line.split(": ")[2] for line in err] == ["timeout"] * 3


def talks(module, number: int, *addresses: object) -> list:
    """Talks of a module that is the client, about to try these addresses."""
    family = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    tried = [(*family, address) for address in addresses]
    return [module.Talk(k, b"hello\n", tried.copy()) for k in range(1, number + 1)]


def test_the_next_address_is_tried(server: Server) -> None:
    module = loaded(CLIENT)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        there = talks(module, 5, bound.getsockname(), server.address)
        nowhere = talks(module, 5, (server.address[0], 0), bound.getsockname())
        ended = list(module.converse_all([*there, *nowhere], DEADLINE))
    assert sum(error is None for talk, error in ended if talk in there) == 5
    errors = [error for talk, error in ended if talk in nowhere]
    assert [type(error) for error in errors] == [ConnectionRefusedError] * 5


def test_a_connection_that_fails_at_once() -> None:
    module = loaded(CLIENT)
    (ended,) = module.converse_all(talks(module, 1, ("255.255.255.255", 9)), DEADLINE)
    assert isinstance(ended[1], OSError)


def test_the_client_does_not_spin(counted) -> None:
    module = loaded(CLIENT)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = list(module.converse_all(talks(module, 5, listener.getsockname()), 0.1))
    assert [type(error) for _, error in ended] == [TimeoutError] * 5
    assert counted().turns <= 12  # connected, sent, waited until the deadline


def test_a_reader_of_the_output_that_leaves(server: Server) -> None:
    words = command(CLIENT, *server.address)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(DEADLINE) == 1
        assert process.stderr
        assert process.stderr.read() == b""


@posix
def test_ctrl_c_ends_the_client_quietly() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(DEADLINE)
        words = command(CLIENT, *listener.getsockname(), "-n", 2)
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            for _ in range(2):
                conn = stack.enter_context(listener.accept()[0])
                conn.settimeout(DEADLINE)
                assert b"".join(iter(lambda conn=conn: conn.recv(100), b"")) == b"hello\n"
            wait_asleep(process.pid)  # Ctrl-C in the midst of its work may leave a socket unclosed
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE) == 130
            assert process.communicate() == (b"", b"")


def wait_asleep(pid: int) -> None:
    """Return when a process that can only wait has no more to do before that."""
    deadline = time.monotonic() + DEADLINE
    while not asleep(pid):
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("number", ["0", "-1", "100000", "many", "٣", ""])
def test_a_bad_number_of_connections(number: str) -> None:
    done = client("127.0.0.1", 65432, f"--connections={number}")
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1].endswith(f"1 to 99999, not {number!r}")


# The notebook and the program


def functions_of(source: str) -> dict[str, ast.FunctionDef]:
    """The functions that a source defines, the last of each name, without their docstrings."""
    found = {
        node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)
    }
    for function in found.values():
        if ast.get_docstring(function):
            del function.body[0]
    return found


class Plain(ast.NodeTransformer):
    """Takes out what only a program needs: the limit of Windows, the pause, the end."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [line for line in node.body if not isinstance(line, ast.Raise)]
        node.args.defaults = [it for it in node.args.defaults if not isinstance(it, ast.Name)]
        return self.generic_visit(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        node.test = ast.Constant(True)
        return self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.body if node.finalbody else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        pauses = ast.unparse(node) == "serve_or_pause(selector, listener, serve)"
        return ast.parse("serve_ready(selector, serve)").body[0].value if pauses else node


def test_the_notebook_and_the_program_are_the_same() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    shown = functions_of("\n".join(cells))
    script = functions_of((SCRIPTS / SCRIPT).read_text(encoding="utf-8"))
    for name in ("accept_all", "echo", "deliver", "hang_up", "serve_ready", "serve_selectors"):
        assert ast.unparse(shown[name]) == ast.unparse(Plain().visit(script[name]))
