"""scripts/app-server.py and app-client.py, as programs, against each other and others."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import psutil
import pytest
from habits import Notebook
from running import (
    DEADLINE,
    RESET,
    SCRIPTS,
    Server,
    command,
    error_line,
    has_ipv6,
    posix,
    run,
    started,
    tool,
)
from test_messages import FIELDS, HOSTILE, SEVERAL, STREAM, fed, framed, with_length

from socketlab.peers import byte_by_byte, send_apart, small_buffers
from socketlab.states import wait_for_state

sys.path.insert(0, str(SCRIPTS))

from answers import BINARY, answer
from asking import error_in
from contents import json_message, numbers_message, text_message, text_of
from messages import Message, Reader, encode

REPLIES = [answer(message) for message in SEVERAL]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Where servers are registered so that none outlives its test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def server(stack: ExitStack) -> Server:
    """An app-server.py on a port that the system chose."""
    return started(stack, script="app-server.py")


def client(
    server: Server, *words: object, data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """The life of one app-client.py."""
    return run(*command("app-client.py", *server.address, *words), data=data)


def everything(sock: socket.socket) -> list[Message]:
    """The messages that a socket receives to its end of stream."""
    return fed(*iter(lambda: sock.recv(65536), b""))


def conversation(server: Server, *pieces: bytes) -> list[Message]:
    """All that a plain client is told that sends these pieces one by one and half-closes."""
    with server.connect() as sock:
        send_apart(sock, pieces)
        sock.shutdown(socket.SHUT_WR)
        return everything(sock)


def one_reply(sock: socket.socket) -> Message:
    """The next message that a socket receives, and nothing behind it."""
    reader = Reader()
    while (reply := reader.next_message()) is None:
        data = sock.recv(65536)
        assert data, "the server ended the stream"
        reader.feed(data)
    assert not reader.buffer
    return reply


def is_well(server: Server) -> bool:
    """Whether the server answers a client that asks properly."""
    return conversation(server, encode(text_message("ab"))) == [text_message("ba")]


# Each other


def test_search(server: Server) -> None:
    done = client(server, "search", "port", "nobody", "€")
    assert (done.returncode, done.stderr) == (0, b"")
    first, *rest = done.stdout.decode().splitlines()
    assert first == "the number that tells one program of a host from another"
    assert rest == ["nothing is known of 'nobody'", "nothing is known of '€'"]


def test_text(server: Server) -> None:
    done = client(server, "text", "1 €", "", "ünï")
    assert (done.returncode, done.stdout.decode()) == (0, "€ 1\n\nïnü\n")


@pytest.mark.parametrize("order", ["big", "little"])
def test_numbers(server: Server, order: str) -> None:
    done = client(server, "numbers", "65536,258,1", "7", "--byteorder", order)
    assert (done.returncode, done.stdout) == (0, b"1,258,65536\n7\n")


def test_json(server: Server) -> None:
    done = client(server, "json", "{}", "[]", "0", '""', '{"action": "search", "value": "x"}')
    assert done.stdout == b"nothing is known of 'x'\n"
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert lines == ["error: the server says: a request must be " + WANTED] * 4


WANTED = '{"action": "search", "value": ...}'


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_binary(server: Server, size: int) -> None:
    data = os.urandom(size)
    done = client(server, "binary", data=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")


def test_two_thousand_words(server: Server) -> None:
    done = client(server, "text", *range(2000))
    assert done.stdout.decode().split() == [str(number)[::-1] for number in range(2000)]


def test_requests_that_together_are_too_much_for_all_buffers(server: Server) -> None:
    word = "x" * 120_000  # 160 of them: the client has to read while it sends
    done = client(server, "text", *[word] * 15)
    assert (done.returncode, done.stdout) == (0, (word.encode() + b"\n") * 15)


def test_both_speak_ipv6(stack: ExitStack) -> None:
    if not has_ipv6():
        pytest.skip("this computer has no IPv6 loopback address")
    server = started(stack, "::1", script="app-server.py")
    assert client(server, "text", "ab").stdout == b"ba\n"


# However the bytes come (rows 1 to 5, 33, 36, 49)


def test_byte_by_byte(server: Server) -> None:
    assert conversation(server, *byte_by_byte(encode(text_message("€")))) == [text_message("€")]


def test_cut_where_one_part_ends_and_another_begins(server: Server) -> None:
    data = encode(text_message("1 €"))
    header = len(data) - len("1 €".encode())
    with server.connect() as sock:
        for place in (1, 2, 3, header - 1, header, header + 1, len(data) - 2, len(data) - 1):
            send_apart(sock, [data[:place], data[place:]])
            assert text_of(one_reply(sock)) == "€ 1"


def test_glued(server: Server) -> None:
    assert conversation(server, STREAM * 3) == REPLIES * 3


def test_one_and_a_half_then_the_other_half(server: Server) -> None:
    data = encode(text_message("first")) + encode(text_message("second"))
    middle = len(data) * 3 // 4
    assert [text_of(each) for each in conversation(server, data[:middle], data[middle:])] == [
        "tsrif",
        "dnoces",
    ]


def test_two_thousand_pipelined_requests(server: Server) -> None:
    requests = [text_message(f"{number} €") for number in range(2000)]
    replies = conversation(server, b"".join(map(encode, requests)))
    assert replies == [answer(each) for each in requests]


def test_a_client_that_asks_again_and_again(server: Server) -> None:
    with server.connect() as sock:
        for message, reply in zip(SEVERAL * 20, REPLIES * 20, strict=True):
            sock.sendall(encode(message))
            assert one_reply(sock) == reply


def test_empty_contents_get_replies(server: Server) -> None:
    empty = [json_message(value) for value in ({}, [], 0, "", None, False)]
    empty += [text_message(""), numbers_message([]), Message(b"", "binary/x")]
    replies = conversation(server, b"".join(map(encode, empty)))
    assert [error_in(reply) is not None for reply in replies] == [True] * 6 + [False] * 3


# Clients that misbehave


@pytest.mark.parametrize(("data", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_gets_the_reason(server: Server, data: bytes, reason: str) -> None:
    with server.connect() as other:
        other.sendall(STREAM[:9])
        with server.connect() as sock:
            sock.sendall(encode(text_message("ab")) + data)
            first, last = everything(sock)  # the server closes, though this side has not
        assert (text_of(first), error_in(last)) == ("ba", reason)
        other.sendall(STREAM[9:])
        other.shutdown(socket.SHUT_WR)
        assert everything(other) == REPLIES


def test_the_reason_arrives_although_more_was_sent(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(framed(with_length(str(2**31))) + bytes(4_000_000))  # row 17
        sock.sendall(bytes(4_000_000))
        (reply,) = everything(sock)
        sock.shutdown(socket.SHUT_WR)
    assert error_in(reply) == "content-length must be from 0 to 1048576"


@pytest.mark.timeout(DEADLINE)
def test_who_was_refused_and_stays_is_left(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"\0\0")
        assert len(everything(sock)) == 1
        with pytest.raises(ConnectionError):  # when it has closed, its system sends a reset
            send_for_ever(sock)
    assert is_well(server)


def test_an_end_inside_a_message_gets_the_reason(server: Server) -> None:
    replies = conversation(server, encode(text_message("ab")) + STREAM[:30])
    assert [text_of(replies[0]), error_in(replies[1])] == [
        "ba",
        "the stream ended inside a message",
    ]


def test_a_client_that_half_closes_gets_all_replies(server: Server) -> None:
    message = Message(os.urandom(500_000), "binary/x")
    requests = encode(message) * 20  # 10 MB: too much for the buffers on the way
    with server.connect() as sock:
        sender = threading.Thread(target=send_and_half_close, args=(sock, requests))
        sender.start()
        replies = everything(sock)
        sender.join()
    assert replies == [Message(message.content, BINARY)] * 20


def send_for_ever(sock: socket.socket) -> None:
    """Send a little, again and again."""
    while True:
        sock.sendall(bytes(1000))
        time.sleep(0.05)


def send_and_half_close(sock: socket.socket, data: bytes) -> None:
    """Send all of data, then the end of stream."""
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def flood(server: Server, request: bytes, times: int) -> tuple[int, socket.socket]:
    """Send request again and again, and read nothing; how often, and the socket of it.

    Ends when nothing more is taken, for the server has stopped to read.
    """
    sock = socket.socket()
    small_buffers(sock)
    sock.settimeout(DEADLINE)
    sock.connect(server.address)
    sock.settimeout(0.5)
    for number in range(times):
        try:
            sock.sendall(request)
        except TimeoutError:
            return number, sock
    raise AssertionError("the server takes more and more, although nobody reads its replies")


def test_who_does_not_read_is_not_read_and_costs_little(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    assert is_well(server)
    before = process.memory_info().rss
    number, sock = flood(server, encode(Message(bytes(50_000), "binary/x")), 2000)
    with closing(sock):
        assert process.memory_info().rss - before < 4_000_000
        assert is_well(server)  # row 13: nobody else has to wait for it
        sock.settimeout(DEADLINE)
        sock.shutdown(socket.SHUT_WR)
        replies = everything(sock)
    assert replies[:number] == [Message(bytes(50_000), BINARY)] * number
    cut_short = [error_in(reply) for reply in replies[number:]]
    assert cut_short in ([], ["the stream ended inside a message"])


def test_small_requests_that_are_never_read(server: Server) -> None:
    number, sock = flood(server, encode(text_message("ab")) * 500, 2000)
    with closing(sock):
        assert is_well(server)
        sock.settimeout(DEADLINE)
        sock.shutdown(socket.SHUT_WR)
        replies = everything(sock)
    assert replies[: number * 500] == [text_message("ba")] * number * 500


def test_a_reset_harms_nobody(server: Server) -> None:
    with server.connect() as other:
        with server.connect() as sock:
            sock.sendall(STREAM + STREAM[:9])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        with server.connect() as sock:
            sock.sendall(b"\0\0")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        other.sendall(STREAM)
        other.shutdown(socket.SHUT_WR)
        assert everything(other) == REPLIES


def abruptly(number: int, sock: socket.socket) -> None:
    """One of five ways to leave a server."""
    if number % 5:
        sock.sendall([b"", STREAM[:9], STREAM, b"\0\0", b"\0\0" + STREAM][number % 5])
    if number % 2:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@posix
def test_two_hundred_abrupt_clients_leave_nothing(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    assert is_well(server)
    before = process.num_fds()
    for number in range(200):
        with server.connect() as sock:
            abruptly(number, sock)
    deadline = time.monotonic() + DEADLINE
    while process.num_fds() > before and time.monotonic() < deadline:
        assert is_well(server)
    assert process.num_fds() == before
    assert process.num_threads() == 1


def test_many_clients_at_once_in_reverse_order(server: Server) -> None:
    with ExitStack() as stack:
        socks = [stack.enter_context(server.connect()) for _ in range(50)]
        for sock in reversed(socks):
            sock.sendall(STREAM)
            sock.shutdown(socket.SHUT_WR)
            assert everything(sock) == REPLIES


# Peers written by others


async def ask_by_streams(address: tuple[str, int], contents: list[bytes]) -> list[object]:
    """A client made of asyncio's streams and the words of the protocol, and nothing of ours."""
    reader, writer = await asyncio.open_connection(*address)
    for content in contents:
        header = json.dumps(FIELDS | {"content-length": len(content), "content-type": "text/json"})
        writer.write(struct.pack(">H", len(header)) + header.encode() + content)
    replies = []
    for _ in contents:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
        header = json.loads(await reader.readexactly(size))
        assert list(header) == list(FIELDS)
        replies.append(json.loads(await reader.readexactly(header["content-length"])))
    writer.close()
    await writer.wait_closed()
    return replies


def test_asyncio_streams_as_the_client(server: Server) -> None:
    contents = [b'{"action": "search", "value": "%d"}' % number for number in range(300)]
    replies = asyncio.run(ask_by_streams(server.address, contents))
    assert replies == [{"result": f"nothing is known of '{number}'"} for number in range(300)]


async def answer_by_streams(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that answers one request and leaves, with another order of the fields."""
    (size,) = struct.unpack(">H", await reader.readexactly(2))
    header = json.loads(await reader.readexactly(size))
    request = json.loads(await reader.readexactly(header["content-length"]))
    content = json.dumps({"result": f"{request['value']} 🐰"}, ensure_ascii=False).encode()
    fields = FIELDS | {"content-type": "text/json", "content-length": len(content)}
    head = json.dumps(dict(reversed(fields.items()))).encode()
    for byte in struct.pack(">H", len(head)) + head + content:
        writer.write(bytes([byte]))
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def served_by_streams(*words: str) -> subprocess.CompletedProcess[bytes]:
    """The life of an app-client.py whose server is answer_by_streams()."""
    async with await asyncio.start_server(answer_by_streams, "127.0.0.1", 0) as listening:
        host, port = listening.sockets[0].getsockname()
        words = (*command("app-client.py", host, port), *words)
        return await asyncio.to_thread(run, *words)


def test_asyncio_streams_as_the_server() -> None:
    done = asyncio.run(served_by_streams("search", "follow me"))
    assert (done.returncode, done.stdout.decode()) == (0, "follow me 🐰\n")


def test_a_server_that_leaves_after_one_reply() -> None:
    done = asyncio.run(served_by_streams("search", "one", "two"))
    assert (done.returncode, done.stdout.decode()) == (1, "one 🐰\n")
    assert done.stderr.startswith(b"error: connection reset: the server at 127.0.0.1")


def test_netcat_sends_a_prepared_file(server: Server) -> None:
    nc = tool("nc", ("-h",), "-N")
    host, port = server.address
    assert fed(run(nc, "-N", host, str(port), data=STREAM * 99).stdout) == REPLIES * 99


def test_socat_sends_a_prepared_file(server: Server) -> None:
    host, port = server.address
    done = run(tool("socat"), f"-t{DEADLINE}", "-", f"TCP:{host}:{port}", data=STREAM * 99)
    assert fed(done.stdout) == REPLIES * 99


# The end of a program


@posix
def test_ctrl_c_ends_the_server_quietly(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(STREAM[:9])
        assert is_well(server)
        assert server.stop(signal.SIGINT) == (0, b"", b"")


@posix
def test_the_server_starts_again_at_once(stack: ExitStack, server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(encode(text_message("ab")))
        assert one_reply(sock) == text_message("ba")
        server.stop(signal.SIGINT)  # the server closes first, so TIME_WAIT is on its port
        assert sock.recv(1024) == b""
    wait_for_state(server.address, "TIME_WAIT", timeout=DEADLINE)
    assert is_well(started(stack, *server.address, script="app-server.py"))


def test_a_port_in_use(server: Server) -> None:
    line = error_line(run(*command("app-server.py", *server.address)))
    assert line.startswith(f"error: port {server.address[1]} is in use: stop ")


@posix
def test_ctrl_c_ends_the_client_quietly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        words = command("app-client.py", *listener.getsockname(), "text", "ab")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            with closing(listener.accept()[0]) as conn:
                assert conn.recv(1)
                process.send_signal(signal.SIGINT)
                assert process.wait(DEADLINE) == 130
            assert process.communicate() == (b"", b"")


# Errors of the client

Scripted = Callable[[socket.socket], object]


@pytest.fixture
def scripted() -> Iterator[Callable[..., subprocess.CompletedProcess[bytes]]]:
    """Run app-client.py against a server that does one thing with its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)

        def life(script: Scripted, *words: object) -> subprocess.CompletedProcess[bytes]:
            def serve() -> None:
                with closing(listener.accept()[0]) as conn:
                    conn.settimeout(DEADLINE)
                    script(conn)
                    while conn.recv(65536):  # until the client leaves
                        pass

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                return run(*command("app-client.py", *listener.getsockname(), *words))
            finally:
                thread.join()

        yield life


def test_a_silent_server(scripted: Callable) -> None:
    done = scripted(lambda conn: None, "--timeout", "0.3", "text", "ab")
    assert error_line(done).startswith("error: timeout: no answer from 127.0.0.1, port ")


def test_half_a_reply(scripted: Callable) -> None:
    done = scripted(lambda conn: conn.sendall(STREAM[:9]), "--timeout", "0.3", "text", "ab")
    assert error_line(done).startswith("error: timeout: no answer ")


def test_a_server_that_leaves_in_the_middle(scripted: Callable) -> None:
    def script(conn: socket.socket) -> None:
        conn.sendall(STREAM[:9])
        conn.shutdown(socket.SHUT_WR)

    assert error_line(scripted(script, "text", "ab")).startswith("error: connection reset: ")


@pytest.mark.parametrize("name", ["no header", "2^31", "twice", "NaN"])
def test_a_hostile_server(scripted: Callable, name: str) -> None:
    data, reason = HOSTILE[name]
    done = scripted(lambda conn: conn.sendall(encode(text_message("ab")) + data), "text", "x", "y")
    assert done.stdout == b"ab\n"
    assert error_line(done) == f"error: the server sent what is no message: {reason}"


def test_replies_that_nobody_asked_for(scripted: Callable) -> None:
    done = scripted(lambda conn: conn.sendall(encode(text_message("ab")) * 9), "text", "x")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"ab\n", b"")


@pytest.mark.parametrize("value", ["\ud800", {"result": "\ud800"}, [[]], {"result": None}, 1.5])
def test_any_json_can_be_printed(scripted: Callable, value: object) -> None:
    done = scripted(lambda conn: conn.sendall(encode(json_message(value))), "search", "x")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1


def test_connection_refused() -> None:
    with socket.socket() as silent:  # bound, so the port is nobody else's; not listening
        silent.bind(("127.0.0.1", 0))
        done = run(*command("app-client.py", *silent.getsockname(), "text", "ab"))
    assert error_line(done).startswith("error: connection refused by 127.0.0.1, port ")


BAD_WORDS = {
    "text needs at least one value": ("text",),
    "binary sends standard input: give no values": ("binary", "x"),
    "the value is not JSON": ("json", "{"),
    "numbers are 0 to 4294967295, as in 258,7: not 'x'": ("numbers", "x"),
}


@pytest.mark.parametrize(("line", "words"), BAD_WORDS.items(), ids=BAD_WORDS)
def test_words_that_mean_nothing(line: str, words: tuple[str, ...]) -> None:
    done = run(*command("app-client.py", "127.0.0.1", 65432, *words))
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == f"app-client.py: error: {line}"


@posix
def test_a_word_that_is_not_utf8() -> None:
    done = run(*command("app-client.py", "127.0.0.1", 65432, "text", os.fsdecode(b"\xff")))
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1].endswith(" is not UTF-8")


def test_more_than_a_message_may_carry() -> None:
    words = command("app-client.py", "127.0.0.1", 65432, "binary")
    done = run(*words, data=bytes((1 << 20) + 1))
    assert done.returncode == 2
    assert b"a content has 1048576 bytes at most" in done.stderr


@pytest.mark.parametrize("script", ["app-server.py", "app-client.py"])
def test_help(script: str) -> None:
    done = run(*command(script, "--help"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"(default: ") == 2


def definitions(sources: list[str]) -> dict[str, str]:
    """The syntax of each name that sources define, without docstrings."""
    found = {}
    for source in sources:
        for node in ast.parse(source).body:
            targets = [name for part in getattr(node, "targets", []) for name in ast.walk(part)]
            for part in ast.walk(node):
                if isinstance(part, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(part):
                    del part.body[0]
            names = [each.id for each in targets if isinstance(each, ast.Name)]
            for name in [*names, getattr(node, "name", "")]:
                found[name] = ast.dump(node)
    return found


SHOWN = """
    FIELDS MAX_CONTENT MAX_HEADER Message ProtocolError Reader encode decode parse_json once_each
    no_number parse_header take_header text_message json_message numbers_message text_of json_of
    numbers_of WORDS search answer Client Phase answer_some refuse interest serve_client hang_up
"""


def test_the_notebook_shows_what_the_programs_do() -> None:
    cells = Notebook.read(SCRIPTS.parent / "notebooks" / "11_an_application_protocol.ipynb").code
    shown = definitions([cell.source for cell in cells])
    files = ["messages", "contents", "answers", "app-server"]
    real = definitions([(SCRIPTS / f"{name}.py").read_text("utf-8") for name in files])
    both = {name for name in shown.keys() & real.keys() if name}
    assert not set(SHOWN.split()) - both
    assert [name for name in sorted(both) if shown[name] != real[name]] == []


PROGRAMS = ["app-server", "app-client", "messages", "contents", "answers", "asking"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_file_is_short(name: str) -> None:
    source = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 150


def test_numbers_on_the_wire_are_what_the_header_says(server: Server) -> None:
    (reply,) = conversation(server, encode(numbers_message([258, 7], "little")))
    assert reply.content == b"\x07\0\0\0\x02\x01\0\0"  # row 35
