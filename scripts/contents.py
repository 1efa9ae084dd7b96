"""What messages carry: text, JSON and numbers, as contents and back."""

import json
import struct

from messages import Message, ProtocolError, decode, parse_json

TEXT, JSON, NUMBERS = "text/plain", "text/json", "binary/numbers"
LETTERS = {"big": ">", "little": "<"}  # byte orders, as struct calls them


def text_message(text):
    """A message that carries a string."""
    return Message(text.encode("utf-8"), TEXT, "utf-8")


def json_message(value):
    """A message that carries whatever JSON can say."""
    return Message(json.dumps(value).encode("utf-8"), JSON, "utf-8")


def numbers_message(numbers, byteorder="big"):
    """A message that carries unsigned numbers, 4 bytes each; struct.error if they do not fit."""
    content = struct.pack(f"{LETTERS[byteorder]}{len(numbers)}I", *numbers)
    return Message(content, NUMBERS, "binary", byteorder)


def text_of(message):
    """The string that a message carries; ProtocolError if it is not UTF-8."""
    if message.encoding.lower() not in ("utf-8", "utf8"):
        raise ProtocolError(f"content-encoding must be utf-8 here, not {message.encoding!r:.40}")
    return decode(message.content, "content")


def json_of(message):
    """The value that a message carries; ProtocolError if it is not JSON."""
    return parse_json(text_of(message), "content")


def numbers_of(message):
    """The numbers that a message carries; ProtocolError if they have not 4 bytes each."""
    if len(message.content) % 4:
        raise ProtocolError(f"numbers have 4 bytes each, and these have {len(message.content)}")
    layout = f"{LETTERS[message.byteorder]}{len(message.content) // 4}I"
    return struct.unpack(layout, message.content)
