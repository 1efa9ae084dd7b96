"""Mistake: measures the next message with the header of the one before.

Caught by: test_reader
Says: returned something else
Diagnosed as: does not begin afresh behind a message
"""

import json
import selectors
import socket
import struct
import sys
from contextlib import suppress
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
    encoding = "utf-8" if kind in (TEXT, JSON) else "binary"
    if kind == TEXT:
        value = value.encode("utf-8")
    elif kind == JSON:
        value = json.dumps(value).encode("utf-8")
    elif kind == NUMBERS:
        value = struct.pack(f"{LETTERS[byteorder]}{len(value)}I", *value)
    header = dict(zip(FIELDS, [byteorder, kind, encoding, len(value)], strict=True))
    data = json.dumps(header).encode("utf-8")
    return struct.pack(">H", len(data)) + data + value


def once_each(pairs):
    """The pairs of a JSON object as a dict; ProtocolError if a name is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ProtocolError("a name is there twice in the header")
    return found


def parse_header(data):
    """The header in data as a dict; ProtocolError, with the reason, if it is not as it must be."""
    try:
        header = json.loads(data.decode("utf-8"), object_pairs_hook=once_each)
    except (ValueError, RecursionError):  # no UTF-8, no JSON, or nested too deeply
        raise ProtocolError("the header is not JSON in UTF-8") from None
    if not isinstance(header, dict):
        raise ProtocolError("the header is not a JSON object")
    for name, kind in FIELDS.items():
        if type(header.get(name)) is not kind:  # isinstance() would take True for an int
            raise ProtocolError(f"the header has no {name} of type {kind.__name__}")
    if header["byteorder"] not in LETTERS:
        raise ProtocolError("byteorder must be 'big' or 'little'")
    if not 0 <= header["content-length"] <= MAX_CONTENT:
        raise ProtocolError(f"content-length must be from 0 to {MAX_CONTENT}")
    return header


class MessageReader:
    """Bytes in, messages out, wherever the bytes were cut. It knows no socket."""

    def __init__(self):
        self.buffer = bytearray()
        self.header = None  # of the message whose content is not all there yet

    def feed(self, data):
        """Take bytes as they arrived."""
        self.buffer += data

    def next_message(self):
        """(header, content) of the next message; None until it is there; ProtocolError."""
        if self.header is None and len(self.buffer) >= 2:
            size = struct.unpack_from(">H", self.buffer)[0]
            if not 1 <= size <= MAX_HEADER:
                raise ProtocolError(f"a header has from 1 to {MAX_HEADER} bytes, not {size}")
            if len(self.buffer) >= 2 + size:
                self.header = parse_header(self.take(2 + size)[2:])
        if self.header is None or len(self.buffer) < self.header["content-length"]:
            return None
        return self.header, self.take(self.header["content-length"])

    def take(self, size):
        """Take size bytes off the front of the buffer."""
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data


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
        self.selector = selectors.DefaultSelector()

    def serve_forever(self):
        """Serve everybody who connects."""
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        while True:
            for key, events in self.selector.select():
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.serve(key.fileobj, key.data, events)

    def accept(self):
        """Accept a client, if it is still there."""
        with suppress(BlockingIOError, ConnectionError):
            conn, _ = self.listener.accept()
            conn.setblocking(False)
            self.selector.register(conn, selectors.EVENT_READ, Client())

    def serve(self, conn, client, events):
        """One client's turn: read, answer and send as far as it goes without waiting."""
        try:
            if events & selectors.EVENT_READ:
                self.hear(client, conn.recv(65536))
            if client.owed:
                del client.owed[: conn.send(client.owed)]
            if client.phase is Phase.REFUSED and not client.owed:
                conn.shutdown(socket.SHUT_WR)  # close() now could destroy the reason on its way
                client.phase = Phase.LEAVING
        except BlockingIOError:
            pass
        except OSError:  # a reset, most often: this client is gone, the others are not
            client.phase, client.owed = Phase.ENDED, bytearray()
        self.watch(conn, client)

    def hear(self, client, data):
        """Owe a client the answers to what it said; what follows a refusal is dropped."""
        if not data:
            client.phase = Phase.ENDED
        if client.phase is not Phase.OPEN:
            return
        client.reader.feed(data)
        try:
            while (message := client.reader.next_message()) is not None:
                client.owed += build_message(*answer(*message))
        except ProtocolError as error:
            client.owed += build_message(*refusal(error))
            client.phase = Phase.REFUSED

    def watch(self, conn, client):
        """Watch a client for what is still to come; hang up if that is nothing."""
        wanted = 0 if client.phase is Phase.ENDED else selectors.EVENT_READ
        wanted |= selectors.EVENT_WRITE if client.owed else 0
        if wanted:
            self.selector.modify(conn, wanted, client)
        else:
            self.selector.unregister(conn)
            conn.close()


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/06_message_server.py HOST PORT")
    with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128) as listener:
        Server(listener).serve_forever()


if __name__ == "__main__":
    main()
