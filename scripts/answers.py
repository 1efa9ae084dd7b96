"""What app-server.py answers, without sockets: a message in, a message out; bytes in, bytes owed.

The content-type of a request says what is done with its content:

    text/json           {"action": "search", "value": "port"} looks a word up
    text/plain          comes back reversed
    binary/numbers      unsigned, 4 bytes each, in the header's byteorder: come back sorted
    other binary/...    comes back as it is

A request that makes no sense gets {"error": reason}, and the conversation goes on.
"""

from dataclasses import dataclass, field
from enum import Enum

from contents import (
    JSON,
    NUMBERS,
    TEXT,
    json_message,
    json_of,
    numbers_message,
    numbers_of,
    text_message,
    text_of,
)
from messages import Message, ProtocolError, Reader, encode

MOST_OWED = 65536  # bytes: who is owed more has its next requests answered later

BINARY = "binary/custom-server-binary-type"
WORDS = {
    "socket": "one end of a connection, as a program holds it",
    "listener": "a socket that only accepts connections",
    "port": "the number that tells one program of a host from another",
    "stream": "bytes in order, without marks between messages",
}


def search(request):
    """What {"action": "search", "value": word} finds."""
    if not isinstance(request, dict) or request.get("action") != "search":
        raise ProtocolError('a request must be {"action": "search", "value": ...}')
    word = request.get("value")
    if not isinstance(word, str):
        raise ProtocolError("the value to search for must be a string")
    return {"result": WORDS.get(word, f"nothing is known of {word!r:.80}")}


def answer(message):
    """The reply to any message."""
    try:
        if message.type == JSON:
            return json_message(search(json_of(message)))
        if message.type == TEXT:
            return text_message(text_of(message)[::-1])
        if message.type == NUMBERS:
            return numbers_message(sorted(numbers_of(message)), message.byteorder)
        if message.type.startswith("binary/"):
            return Message(message.content, BINARY, "binary", message.byteorder)
        raise ProtocolError(f"content-type {message.type!r:.40} is not known here")
    except ProtocolError as error:
        return json_message({"error": str(error)})


Phase = Enum("Phase", "OPEN ENDED REFUSED LEAVING")


@dataclass
class Client:
    """One client as the server sees it: what it said so far, and the bytes that it is owed."""

    reader: Reader = field(default_factory=Reader)
    owed: bytearray = field(default_factory=bytearray)
    phase: Phase = Phase.OPEN

    @property
    def listened_to(self):
        """Whether to read from it: not while it is owed much, but after a refusal to its end."""
        if self.phase is Phase.OPEN:
            return len(self.owed) < MOST_OWED
        return self.phase is not Phase.ENDED

    def feed(self, data):
        """Take what it said; b"" is its end of stream. What follows a refusal is dropped."""
        if not data:
            self.phase = Phase.ENDED
        elif self.phase is Phase.OPEN:
            self.reader.feed(data)


def answer_some(client):
    """Answer what a client said, until it is owed enough; whether it is owed anything."""
    try:
        while len(client.owed) < MOST_OWED:
            request = client.reader.next_message()
            if request is None:
                break
            client.owed += encode(answer(request))
        if client.phase is Phase.ENDED and not client.owed:
            client.reader.finish()
    except ProtocolError as error:
        refuse(client, str(error))
    return bool(client.owed)


def refuse(client, reason):
    """Owe a client the reason; nothing behind these bytes is taken for a message."""
    client.owed += encode(json_message({"error": reason}))
    client.reader = Reader()
    if client.phase is Phase.OPEN:
        client.phase = Phase.REFUSED
