"""Hidden checks of lab 06."""

import json
import subprocess
import sys
from pathlib import Path

from socketlab.harness import Client, Raised, lab_check
from socketlab.harness.envelopes import ask, envelope, header_of, sealed
from socketlab.peers import random_cuts

APP_CLIENT = Path(__file__).parents[2] / "scripts" / "app-client.py"


def reversed_is(client, text):
    """A text comes back reversed."""
    [reply] = ask(client, envelope(text))
    if reply.content != text[::-1]:
        raise client.program.failed("Another reply came.", got=reply.content, wanted=text[::-1])


@lab_check(read="every_cut")
def test_random_messages(functions, rng):
    """random messages come through random cuts

    Nothing can be known before it is there: not the sizes, not the bytes, not where it is cut.
    """
    for _ in range(20):
        contents = [rng.randbytes(rng.choice((0, 1, 5, 300))) for _ in range(rng.randint(1, 5))]
        data = b"".join(envelope(content, "binary/x", extra=0) for content in contents)
        reader, got = functions.make("MessageReader"), []
        for piece in random_cuts(data, rng, rng.randint(0, 9)):
            reader.call("feed", piece)
            while len(got) <= len(contents):
                if (message := reader.call("next_message")) is None:
                    break
                if isinstance(message, Raised):
                    raise functions.failed(f"next_message() raised {message}", message)
                got.append(message[1])
        if got != contents:
            shown = {"got": repr(got)[:200], "wanted": repr(contents)[:200]}
            raise functions.failed("Other messages came out.", **shown)


@lab_check(read="lies")
def test_cruel_headers(functions):
    """whatever bytes come as a header, they are refused with a ProtocolError

    json.loads() can raise more than one kind of error, and guesses the encoding of bytes. Give
    it text that was decoded as UTF-8, and turn each of its errors into a ProtocolError.
    """
    right = json.dumps(header_of(b""))
    headers = [
        b"[" * 4000,
        right.encode("utf-16"),
        right.encode("utf-32"),
        b"\xff" * 9,
        b" ",
        b"0",
    ]
    headers += [right.replace(": 0", ": " + number).encode() for number in ("9" * 3000, "NaN")]
    headers += [right.replace(": 0", ": 1e999").encode(), right.encode()[:-1], b'"content-length"']
    headers += [b'{"content-length": 5, ' + right.encode()[1:]]
    for header in headers:
        reader = functions.make("MessageReader")
        reader.call("feed", sealed(header))
        reader.expect_error("ProtocolError", "next_message")


@lab_check(read="conversation")
def test_byte_by_byte(client):
    """a request that comes byte by byte gets its reply

    A recv() may bring one byte. The client's reader keeps it until the message is there.
    """
    data = envelope(b"hello")
    client.send_byte_by_byte(data[:-1])
    [reply] = ask(client, data[-1:], count=1)
    if reply.content != b"olleh":
        happened = "Another reply came."
        raise client.program.failed(happened, got=reply.content, wanted=b"olleh")


@lab_check(read="conversation")
def test_many_clients(server):
    """fifty clients at once are served, the last one first

    Each of them has its own reader, and none waits for another.
    """
    clients = [Client(server) for _ in range(50)]
    for number, client in enumerate(reversed(clients)):
        reversed_is(client, b"I am client %d" % number)
    for client in clients:
        client.close()


@lab_check(read="conversation")
def test_app_client(server):
    """scripts/app-client.py gets its answers

    It is the client of notebook 11, and knows nothing of your program but the protocol.
    """
    host, port = server.address
    words = ["search", "port", "nonsense", "stream"]
    server.steps.add(f"python scripts/app-client.py {host} {port} {' '.join(words)}")
    command = [sys.executable, str(APP_CLIENT), host, str(port), *words, "--timeout"]
    command += [str(server.patience.silence)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode or len(ended.stdout.splitlines()) != 3:
        got = ended.stdout + ended.stderr or "nothing"
        raise server.failed("It did not get its answers.", got=got, wanted="three lines, no error")
