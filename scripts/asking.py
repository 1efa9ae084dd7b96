"""What app-client.py asks and prints, without sockets: words to requests, replies to bytes."""

import json
import struct

from contents import (
    JSON,
    NUMBERS,
    TEXT,
    json_message,
    json_of,
    numbers_message,
    numbers_of,
    text_message,
)
from messages import MAX_CONTENT, Message, ProtocolError, parse_json

ACTIONS = ["search", "text", "json", "numbers", "binary"]
BINARY = "binary/custom-client-binary-type"


def requests_for(action, words, byteorder, stdin):
    """The requests that a command line means, one a word; ProtocolError if it means none."""
    if action == "binary" and words:
        raise ProtocolError("binary sends standard input: give no values")
    if action != "binary" and not words:
        raise ProtocolError(f"{action} needs at least one value")
    if action == "binary":
        requests = [Message(stdin.read(MAX_CONTENT + 1) if stdin else b"", BINARY)]
    else:
        requests = [request_for(action, word, byteorder) for word in words]
    if any(len(request.content) > MAX_CONTENT for request in requests):
        raise ProtocolError(f"a content has {MAX_CONTENT} bytes at most")
    return requests


def request_for(action, word, byteorder):
    """The request that one word means; ProtocolError if it cannot be one."""
    try:
        if action == "search":
            return json_message({"action": "search", "value": word})
        if action == "json":
            return json_message(parse_json(word, "value"))
        if action == "numbers":
            return numbers_message([int(number) for number in word.split(",")], byteorder)
        return text_message(word)
    except UnicodeEncodeError:
        raise ProtocolError(f"{word!r} is not UTF-8") from None
    except (ValueError, struct.error):
        raise ProtocolError(f"numbers are 0 to 4294967295, as in 258,7: not {word!r}") from None


def error_in(reply):
    """The reason if a reply says that something went wrong, else None."""
    value = json_of(reply) if reply.type == JSON else None
    return value.get("error") if isinstance(value, dict) else None


def shown(reply):
    """A reply as bytes to print."""
    if reply.type == NUMBERS:
        return ",".join(map(str, numbers_of(reply))).encode() + b"\n"
    if reply.type == JSON:
        value = json_of(reply)
        value = value.get("result", value) if isinstance(value, dict) else value
        text = value if isinstance(value, str) else json.dumps(value)
        return text.encode(errors="backslashreplace") + b"\n"
    return reply.content + (b"\n" if reply.type == TEXT else b"")
