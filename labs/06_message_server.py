"""Lab 06, a message server: the protocol of notebook 11, for many clients at a time.

Goal
    Messages go in, replies come out, whatever way the bytes arrive. What is no message is
    refused with a reason, and no other client notices.

The protocol
    A message is: the length of its header (2 bytes, unsigned, big-endian), its header (a JSON
    object in UTF-8), its content. The header has the four FIELDS below, each of exactly that
    type; it may have others, too. content-length is the number of bytes of the content.
    What is answered to a message is in answer(), which is written already.

Write (each hole is marked TODO), in this order
    build_message   The bytes of a message. The content is, for text/plain, the string value in
                    UTF-8; for text/json, value as JSON in UTF-8; for binary/numbers, the list
                    value as unsigned numbers of 4 bytes in the given byteorder; for any other
                    kind, value itself: bytes. content-encoding is "utf-8" for the first two,
                    else "binary". A value may be empty: "", {}, [], 0 and b"" are values.
    MessageReader   feed(data) takes bytes. next_message() returns (header, content) of the next
                    message, a dict and bytes, and None if it is not all there yet. It raises
                    ProtocolError for a header that is not as described above, and for a length
                    outside its limits: the header has 1 to MAX_HEADER bytes, content-length is 0
                    to MAX_CONTENT, byteorder is "big" or "little", no name is there twice. It
                    does so as soon as the wrong length or header is there, and does not wait
                    for what follows. Whatever bytes come, it raises nothing else.
    parse_header    Help for it: change it as you like, the checks do not call it.
    serve_forever   Each request gets its reply, in order. A client may send any number of
                    requests before it reads; whoever says "no more" (a half-close) still gets
                    all replies, then the end of the stream. Bytes that are no message get the
                    refusal(), after the replies to what came before; then comes the end of the
                    stream. That client gets both, also if it has sent a lot behind those bytes
                    (notebook 11, section 9). Nothing behind them is answered.
                    An end of the stream inside a message may get a refusal or nothing; then
                    comes your end.
                    A client that is silent, that stops inside a message, resets its connection,
                    or does not read its reply, holds nobody up. While nobody talks, the server
                    sleeps.

Run it
    python labs/06_message_server.py 127.0.0.1 65432
    In a second terminal: python scripts/app-client.py 127.0.0.1 65432 search port socket

Check it
    In a notebook: from socketlab import check; check("06")
    In a terminal: socketlab check 6
    The checks call build_message and MessageReader: every kind of value, empty ones, streams
    that are cut at every place, headers that lie. Then they start your program and talk to it:
    single requests, 2,000 at once, bad ones, and clients of bad manners, one and many at a time.
    Five more checks are hidden; they want nothing that is not written here.

Good to know
    json.loads(text, object_pairs_hook=once_each) refuses a name that is there twice.
    It reads NaN and Infinity, too, which are no JSON: parse_constant= is called for them.
    Notebook 11 has most of this lab: close the notebook, then write. A loop with
    selectors is the lesson, but threads or asyncio are fine. Client, Server and all that is given
    may be changed; the checks know build_message, MessageReader, ProtocolError and the wire.

Not asked for
    A limit to the replies that wait for a client, time-outs, other types of content.

Read first: notebooks 05, 09 and 11.
"""

import json
import socket
import struct
import sys
from enum import Enum

MAX_HEADER = 4096  # bytes
MAX_CONTENT = 1 << 20  # bytes: 1 MiB
FIELDS = {"byteorder": str, "content-type": str, "content-encoding": str, "content-length": int}
TEXT, JSON, NUMBERS = "text/plain", "text/json", "binary/numbers"
LETTERS = {"big": ">", "little": "<"}  # byte orders, as struct calls them
ENCODINGS = ("utf-8", "latin-1")  # that a text may come in
WORDS = {
    "socket": "one end of a connection, as a program holds it",
    "listener": "a socket that only accepts connections",
    "port": "the number that tells one program of a host from another",
    "stream": "bytes in order, without marks between messages",
}
Phase = Enum("Phase", "OPEN ENDED REFUSED LEAVING")  # as in notebook 11


class ProtocolError(Exception):
    """Bytes that are not what they must be; the text is the reason, and may be sent."""


def build_message(kind, value, byteorder="big"):
    """The message that carries value, as bytes: header's length, header, content."""
    raise NotImplementedError("TODO: make the content, then the header, then the length")


def once_each(pairs):
    """The pairs of a JSON object as a dict; ProtocolError if a name is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ProtocolError("a name is there twice in the header")
    return found


def parse_header(data):
    """The header in data as a dict; ProtocolError, with the reason, if it is not as it must be."""
    raise NotImplementedError("TODO: read the header, and check all of it")


class MessageReader:
    """Bytes in, messages out, wherever the bytes were cut. It knows no socket."""

    def __init__(self):
        raise NotImplementedError("TODO: keep what is not used yet")

    def feed(self, data):
        """Take bytes as they arrived."""
        raise NotImplementedError("TODO: keep data, too")

    def next_message(self):
        """(header, content) of the next message; None until it is there; ProtocolError."""
        raise NotImplementedError("TODO: take a message off the front of what you have")


def value_of(header, content):
    """What a content means, by its header; ProtocolError if it does not mean that."""
    kind, encoding = header["content-type"], header["content-encoding"]
    try:
        if kind in (TEXT, JSON):
            if encoding not in ENCODINGS:
                raise ProtocolError(f"content-encoding {encoding!r:.40} is not known here")
            text = content.decode(encoding)
            return json.loads(text) if kind == JSON else text
        if kind == NUMBERS:
            return struct.unpack(f"{LETTERS[header['byteorder']]}{len(content) // 4}I", content)
    except (ValueError, RecursionError, struct.error):
        raise ProtocolError(f"the content is not {kind}, as its header says") from None
    return content


def search(request):
    """What {"action": "search", "value": word} finds; ProtocolError if that is not the request."""
    match request:
        case {"action": "search", "value": str(word)}:
            return {"result": WORDS.get(word, f"nothing is known of {word!r:.80}")}
    raise ProtocolError('a request must be {"action": "search", "value": "a word"}')


def answer(header, content):
    """The reply to any message: what build_message() wants to know."""
    kind, byteorder = header["content-type"], header["byteorder"]
    try:
        value = value_of(header, content)
        if kind == JSON:
            return JSON, search(value), byteorder
        if kind == TEXT:
            return TEXT, value[::-1], byteorder
        if kind == NUMBERS:
            return NUMBERS, sorted(value), byteorder
        if kind.startswith("binary/"):
            return "binary/reply", value, byteorder
        raise ProtocolError(f"content-type {kind!r:.40} is not known here")
    except ProtocolError as error:
        return refusal(error)


def refusal(error):
    """The reply that says why something is refused: what build_message() wants to know."""
    return JSON, {"error": str(error)}, "big"


class Client:
    """What the server remembers of one client, to be used or changed as you like."""

    def __init__(self):
        self.reader = MessageReader()
        self.owed = bytearray()  # what is to be sent to it
        self.phase = Phase.OPEN


class Server:
    """Answers the messages of many clients at a time."""

    def __init__(self, listener):
        self.listener = listener

    def serve_forever(self):
        """Serve everybody who connects."""
        raise NotImplementedError("TODO: serve the clients")


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/06_message_server.py HOST PORT")
    with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128) as listener:
        Server(listener).serve_forever()


if __name__ == "__main__":
    main()
