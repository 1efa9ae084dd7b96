"""Messages in a stream of bytes: the protocol of app-server.py and app-client.py, without sockets.

A message is the length of its header (2 bytes, big-endian), its header (a JSON object in UTF-8
with the FIELDS below), and its content. Feed a Reader whatever arrives, cut anywhere, and take
whole messages out.
"""

import json
import struct
from dataclasses import dataclass, field

MAX_HEADER = 4096  # bytes
MAX_CONTENT = 1 << 20  # bytes: 1 MiB
FIELDS = {"byteorder": str, "content-type": str, "content-encoding": str, "content-length": int}


class ProtocolError(Exception):
    """Bytes that are not a message; the text is the reason, and may be sent to who sent them."""


@dataclass(frozen=True)
class Message:
    """A content, and what the header says of it."""

    content: bytes
    type: str
    encoding: str = "binary"
    byteorder: str = "big"


def encode(message):
    """A message as bytes: the length of the header, the header, the content."""
    values = [message.byteorder, message.type, message.encoding, len(message.content)]
    header = json.dumps(dict(zip(FIELDS, values, strict=True))).encode("utf-8")
    return struct.pack(">H", len(header)) + header + message.content


def decode(data, what):
    """Bytes as a string; ProtocolError if they are not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError(f"the {what} is not UTF-8") from None


def parse_json(text, what):
    """A string as a JSON value; ProtocolError if it is none."""
    try:
        return json.loads(text, object_pairs_hook=once_each, parse_constant=no_number)
    except RecursionError:
        raise ProtocolError(f"the {what} is nested too deeply") from None
    except ValueError:
        raise ProtocolError(f"the {what} is not JSON") from None


def once_each(pairs):
    """The pairs of a JSON object as a dict; Python alone would take the last of two in silence."""
    found = {}
    for name, value in pairs:
        if name in found:
            raise ProtocolError(f"{name!r:.40} is there twice")
        found[name] = value
    return found


def no_number(name):
    """Refuse NaN and Infinity: Python reads them, but they are not JSON (RFC 8259)."""
    raise ProtocolError(f"{name} is not JSON")


def parse_header(data):
    """The header in data as a dict; ProtocolError, with the reason, if it is not as it must be."""
    header = parse_json(decode(data, "header"), "header")
    if not isinstance(header, dict):
        raise ProtocolError("the header is not a JSON object")
    for name, kind in FIELDS.items():
        if name not in header:
            raise ProtocolError(f"the header has no {name}")
        if type(header[name]) is not kind:  # isinstance() would take True for an int
            wrong = type(header[name]).__name__
            raise ProtocolError(f"{name} must be {kind.__name__}, not {wrong}")
    if header["byteorder"] not in ("big", "little"):
        raise ProtocolError("byteorder must be 'big' or 'little'")
    if not 0 <= header["content-length"] <= MAX_CONTENT:
        raise ProtocolError(f"content-length must be from 0 to {MAX_CONTENT}")
    return header


def take_header(buffer):
    """Take the header off the front of buffer; None as long as it is not all there."""
    if len(buffer) < 2:
        return None
    (length,) = struct.unpack_from(">H", buffer)
    if not 1 <= length <= MAX_HEADER:
        raise ProtocolError(f"a header has from 1 to {MAX_HEADER} bytes, not {length}")
    if len(buffer) < 2 + length:
        return None
    header = parse_header(bytes(buffer[2 : 2 + length]))  # a wrong one stays in the buffer
    del buffer[: 2 + length]
    return header


@dataclass
class Reader:
    """Bytes in, messages out, wherever the bytes were cut."""

    buffer: bytearray = field(default_factory=bytearray)
    header: dict | None = None  # of the message whose content is not all there yet

    def feed(self, data):
        """Take bytes as they arrived."""
        self.buffer += data

    def next_message(self):
        """The next whole message; None until it is there; ProtocolError if it will never be."""
        if self.header is None:
            self.header = take_header(self.buffer)
        if self.header is None or len(self.buffer) < self.header["content-length"]:
            return None
        header, self.header = self.header, None
        content = bytes(self.buffer[: header["content-length"]])
        del self.buffer[: header["content-length"]]
        kind, encoding = header["content-type"], header["content-encoding"]
        return Message(content, kind, encoding, header["byteorder"])

    def finish(self):
        """The stream has ended; ProtocolError if it did so inside a message."""
        if self.header is not None or self.buffer:
            raise ProtocolError("the stream ended inside a message")
