"""The messages of notebook 11, as the checks of a server see them: built from any header, however
wrong, and read from what a program sends."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

from socketlab.harness.scene import Failed
from socketlab.harness.talker import Talker
from socketlab.peers import recv_exactly

FIELDS = {"byteorder": str, "content-type": str, "content-encoding": str, "content-length": int}
MAX_HEADER = 4096  # bytes


@dataclass(frozen=True)
class Envelope:
    """A message: its header, its content, and how many bytes it has as a whole."""

    header: dict[str, Any]
    content: bytes
    size: int

    @property
    def kind(self) -> str:
        """The content-type."""
        return str(self.header["content-type"])

    @property
    def value(self) -> object:
        """The JSON value that the content is; ValueError if it is none."""
        try:
            return json.loads(self.content.decode("utf-8"))
        except RecursionError:
            raise ValueError("it is nested too deep") from None


def header_of(content: bytes, kind: str = "text/plain", **changed: object) -> dict[str, Any]:
    """A right header for a content; `changed` fields are named with _ for -."""
    encoding = "utf-8" if kind.startswith("text/") else "binary"
    fields = dict(zip(FIELDS, ("big", kind, encoding, len(content)), strict=True))
    return fields | {name.replace("_", "-"): value for name, value in changed.items()}


def sealed(header: object, content: bytes = b"") -> bytes:
    """A message as it travels. The header may be bytes, or whatever JSON can say."""
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(data).to_bytes(2, "big") + data + content


def envelope(content: bytes, kind: str = "text/plain", **changed: object) -> bytes:
    """A right message as it travels."""
    return sealed(header_of(content, kind, **changed), content)


def opened(data: bytes | bytearray, at: int = 0) -> Envelope | int:
    """The message that begins there, or how many bytes of it, at least, are not there yet.
    ValueError says why it is no message."""
    there = len(data) - at
    if there < 2:
        return 2 - there
    length = int.from_bytes(data[at : at + 2], "big")
    if not 1 <= length <= MAX_HEADER:
        raise ValueError(f"its first two bytes say that the header has {length:,} bytes")
    if there < 2 + length:
        return 2 + length - there
    header = _header(bytes(data[at + 2 : at + 2 + length]))
    size = 2 + length + header["content-length"]
    if there < size:
        return size - there
    return Envelope(header, bytes(data[at + 2 + length : at + size]), size)


def _header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"its header is not JSON: {data[:60]!r}") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    for name, kind in FIELDS.items():
        if type(header.get(name)) is not kind:
            what = f"{name} is {header[name]!r}" if name in header else f"there is no {name}"
            raise ValueError(f"in its header, {what}")
    if header["content-length"] < 0:
        raise ValueError("its content-length is below zero")
    return header


def recv_envelope(sock: socket.socket) -> Envelope:
    """The next message from a blocking socket. EOFError or ValueError if there is none."""
    data = b""
    while isinstance(found := opened(data), int):
        data += recv_exactly(sock, found)
    return found


class Replies:
    """So many messages that a talker shall get: `found` so far."""

    def __init__(self, talker: Talker, count: int) -> None:
        self.talker, self.count, self.found, self._at = talker, count, list[Envelope](), 0

    @property
    def end_in_refusal(self) -> bool:
        """Whether the last reply that came says that a request is no message."""
        return bool(self.found) and b'"error"' in self.found[-1].content[:10]

    def missing(self, got: bytearray) -> int:
        """How many bytes, at least, are missing; Failed if what came is no message."""
        while len(self.found) < self.count:
            try:
                reply = opened(got, self._at)
            except ValueError as error:
                raise self.no_message(str(error), bytes(got[self._at :])) from None
            if isinstance(reply, int):
                return reply
            self.found.append(reply)
            self._at += reply.size
        return 0

    def no_message(self, why: str, got: bytes) -> Failed:
        """The failure to raise."""
        happened = f"What came back is no message: {why}."
        signs, wanted = ("no message",), "a message"
        return self.talker.program.failed(happened, signs=signs, got=got, wanted=wanted)


def ask(talker: Talker, *requests: bytes, count: int = 0) -> list[Envelope]:
    """Send all requests at once, and get a reply to each, or `count` replies. The talker reads
    while it sends, so neither side waits for the other for ever."""
    replies = Replies(talker, count or len(requests))
    words = f"{replies.count:,} replies" if replies.count > 1 else "a reply"
    try:
        talker.gather(b"".join(requests), replies.missing, words)
    except Failed as failed:
        if replies.end_in_refusal:
            last = f"Reply {len(replies.found):,}, the last one, is {replies.found[-1].content!r}"
            failed.happened += f" {last:.200}."
            failed.signs = (*failed.signs, "ends in a refusal")
        raise
    return replies.found
