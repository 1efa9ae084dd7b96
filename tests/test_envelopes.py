"""Messages of notebook 11 as the checks build and read them, and a talker that sends and reads."""

import pytest

from socketlab.harness import Failed
from socketlab.harness.client import Client
from socketlab.harness.envelopes import Envelope, ask, envelope, header_of, opened, sealed
from socketlab.harness.program import Program
from socketlab.harness.scene import Patience

ECHO = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
    conn, _ = listener.accept()
    while data := conn.recv(1000):
        conn.sendall(data)
"""


@pytest.fixture
def echo(tmp_path):
    path = tmp_path / "echo.py"
    path.write_text(ECHO)
    program = Program(path, "127.0.0.1", 0, patience=Patience(2))
    yield program
    program.stop()


def test_a_message_is_opened_when_it_is_there_and_not_before():
    data = envelope("5 €".encode(), "text/json", content_encoding="latin-1")
    for size in range(len(data)):
        missing = opened(data[:size])
        assert isinstance(missing, int)
        assert 1 <= missing <= len(data) - size
    header = header_of("5 €".encode(), "text/json", content_encoding="latin-1")
    assert opened(b"before" + data + b"behind", 6) == Envelope(header, "5 €".encode(), len(data))


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"", "has 0 bytes"),
        (b"x" * 5000, "has 5,000 bytes"),
        (b"{hello}", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 4000, "is not JSON"),
        ([], "not a JSON object"),
        ({}, "there is no byteorder"),
        (header_of(b"", content_length=True), "content-length is True"),
        (header_of(b"", content_length=-1), "below zero"),
    ],
)
def test_what_is_no_message_is_told_why(header, why):
    with pytest.raises(ValueError, match=why):
        opened(sealed(header))


def test_more_is_asked_than_the_buffers_hold(echo):
    contents = [b"%d" % number * 1000 for number in range(2000)]
    with Client(echo) as client:
        replies = ask(client, *map(envelope, contents))
    assert [reply.content for reply in replies] == contents


def test_a_wrong_reply_is_told_at_once(echo):
    with Client(echo) as client, pytest.raises(Failed, match="no message") as failure:
        ask(client, b"\xff\xffhello")
    assert "no message" in failure.value.signs
