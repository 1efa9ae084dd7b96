"""The bytes logic of scripts/app-server.py and app-client.py: no socket anywhere."""

from __future__ import annotations

import json
import random
import struct
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketlab.peers import cut, every_split

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from answers import BINARY, MOST_OWED, Client, Phase, answer, answer_some
from asking import error_in, requests_for, shown
from contents import json_message, json_of, numbers_message, numbers_of, text_message, text_of
from messages import MAX_CONTENT, MAX_HEADER, Message, ProtocolError, Reader, encode

FIELDS = {
    "byteorder": "big",
    "content-type": "text/plain",
    "content-encoding": "utf-8",
    "content-length": 5,
}
SEVERAL = [
    text_message("3 €"),
    text_message(""),
    json_message({"action": "search", "value": "é" * 9}),
    Message(b"\x00\x01\xff\xfe", "binary/x"),
    Message(b"", "binary/x"),
    numbers_message([258, 1], "little"),
]
STREAM = b"".join(map(encode, SEVERAL))


def framed(header: object) -> bytes:
    """A header, given as bytes, text or values, behind its length."""
    text = header if isinstance(header, bytes | str) else json.dumps(header)
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">H", len(data)) + data


def with_length(text: str) -> str:
    """A header as JSON whose content-length is this text."""
    return json.dumps(FIELDS).replace(": 5}", f": {text}}}")


def without(name: str) -> dict[str, object]:
    """A header that lacks one of its fields."""
    return {key: value for key, value in FIELDS.items() if key != name}


def taken(reader: Reader) -> list[Message]:
    """Every message that is whole."""
    return list(iter(reader.next_message, None))


def fed(*pieces: bytes) -> list[Message]:
    """The messages in a stream that arrives in these pieces; it ends well."""
    reader, found = Reader(), []
    for piece in pieces:
        reader.feed(piece)
        found += taken(reader)
    reader.finish()
    return found


# Rows 1 to 5, 10, 33, 49 of the misconceptions: wherever the stream is cut, the same messages


def test_all_at_once_and_byte_by_byte() -> None:
    assert fed(STREAM) == SEVERAL
    assert fed(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == SEVERAL


def test_cut_in_two_at_every_offset() -> None:
    for pair in every_split(STREAM):
        assert fed(*pair) == SEVERAL


def test_cut_in_three_at_every_two_offsets() -> None:
    data = encode(text_message("€")) + encode(text_message(""))
    for first in range(1, len(data)):
        for second in range(first, len(data)):
            assert fed(*cut(data, [first, second])) == [text_message("€"), text_message("")]


@pytest.mark.parametrize("size", [2, 3, 7, 4096])
def test_cut_into_equal_pieces(size: int) -> None:
    assert fed(*cut(STREAM * 9, range(0, len(STREAM) * 9, size))) == SEVERAL * 9


messages = st.builds(
    Message, st.binary(max_size=99), st.text(max_size=9), st.text(max_size=9),
    st.sampled_from(["big", "little"]),
)  # fmt: skip


@given(st.lists(messages, max_size=6), st.data())
def test_any_messages_cut_anywhere(several: list[Message], data: st.DataObject) -> None:
    stream = b"".join(map(encode, several))
    places = data.draw(st.lists(st.integers(0, len(stream))))
    assert fed(*cut(stream, places)) == several


@given(st.binary(max_size=200))
def test_any_bytes_are_answered_to_the_end(data: bytes) -> None:
    client = Client()
    for reply in told(client, data, b""):  # the last one may be an error: then it ends
        assert reply.content or reply.type != "text/json"
    assert client.phase is Phase.ENDED


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_any_json_for_a_header_gives_a_reason(value: object) -> None:
    reader = Reader()
    reader.feed(framed(json.dumps(value)))
    with pytest.raises(ProtocolError):
        reader.next_message()


def test_a_message_without_content_is_not_the_end() -> None:
    assert fed(encode(text_message("")) + encode(text_message("more"))) == [
        text_message(""),
        text_message("more"),
    ]


def test_a_message_is_taken_before_the_next_has_begun() -> None:
    reader = Reader()
    reader.feed(STREAM[:-1])
    assert taken(reader) == SEVERAL[:-1]
    reader.feed(STREAM[-1:])
    assert taken(reader) == SEVERAL[-1:]


def test_a_stream_that_ends_inside_a_message() -> None:
    ends = {len(b"".join(map(encode, SEVERAL[:number]))) for number in range(len(SEVERAL) + 1)}
    for size in set(range(len(STREAM))) - ends:
        with pytest.raises(ProtocolError, match="ended inside a message"):
            fed(STREAM[:size])
    for size in ends:
        fed(STREAM[:size])


# Rows 34, 35: what is on the wire


def test_the_wire_format() -> None:
    header = (
        b'{"byteorder": "big", "content-type": "text/plain", '
        b'"content-encoding": "utf-8", "content-length": 3}'
    )
    assert encode(text_message("€")) == bytes([0, len(header)]) + header + "€".encode()


def test_the_length_of_text_is_in_bytes() -> None:
    for number in range(300):
        assert fed(encode(text_message("é" * number))) == [text_message("é" * number)]


def test_the_header_length_is_big_endian() -> None:
    header = json.dumps(FIELDS | {"content-length": 0, "note": ""})
    header = header.replace('"note": "', '"note": "' + "x" * (258 - len(header)))
    assert framed(header)[:2] == b"\x01\x02"
    (message,) = fed(framed(header))
    assert message == text_message("")


def test_numbers_are_in_the_byte_order_of_the_header() -> None:
    assert numbers_message([258]).content == b"\x00\x00\x01\x02"
    assert numbers_message([258], "little").content == b"\x02\x01\x00\x00"
    for order in ("big", "little"):
        assert numbers_of(numbers_message([258, 7], order)) == (258, 7)


def test_a_header_in_another_order_and_with_more_in_it() -> None:
    header = {"note": [1, {}], **dict(reversed(FIELDS.items()))}
    assert fed(framed(header) + b"12345") == [text_message("12345")]


# Rows 37, 48: hostile headers

WHOLE = "content-length must be int, not "
RANGE = f"content-length must be from 0 to {MAX_CONTENT}"
HOSTILE = {
    "no header": (b"\0\0", "a header has from 1 to 4096 bytes, not 0"),
    "header too long": (b"\x10\x01", "a header has from 1 to 4096 bytes, not 4097"),
    "not UTF-8": (framed(b"\xff{}"), "the header is not UTF-8"),
    "UTF-16": (framed(json.dumps(FIELDS).encode("utf-16")), "the header is not UTF-8"),
    "not JSON": (framed("{"), "the header is not JSON"),
    "blank": (framed(" "), "the header is not JSON"),
    "two values": (framed(json.dumps(FIELDS) * 2), "the header is not JSON"),
    "a list": (framed([]), "the header is not a JSON object"),
    "null": (framed(None), "the header is not a JSON object"),
    "negative": (framed(with_length("-1")), RANGE),
    "2^63": (framed(with_length(str(2**63))), RANGE),
    "2^31": (framed(with_length(str(2**31))), RANGE),
    "one too many": (framed(with_length(str(MAX_CONTENT + 1))), RANGE),
    "text": (framed(with_length('"5"')), WHOLE + "str"),
    "fraction": (framed(with_length("1.5")), WHOLE + "float"),
    "5.0": (framed(with_length("5.0")), WHOLE + "float"),
    "1e1": (framed(with_length("1e1")), WHOLE + "float"),
    "true": (framed(with_length("true")), WHOLE + "bool"),
    "length null": (framed(with_length("null")), WHOLE + "NoneType"),
    "a list of it": (framed(with_length("[5]")), WHOLE + "list"),
    "NaN": (framed(with_length("NaN")), "NaN is not JSON"),
    "Infinity": (framed(with_length("-Infinity")), "-Infinity is not JSON"),
    "1e999": (framed(with_length("1e999")), WHOLE + "float"),
    "4,000 digits": (framed(with_length("9" * 3900)), RANGE),
    "twice": (framed(with_length('5, "content-length": 5')), "'content-length' is there twice"),
    "missing": (framed(without("content-length")), "the header has no content-length"),
    "no type": (framed(without("content-type")), "the header has no content-type"),
    "no byteorder": (framed(without("byteorder")), "the header has no byteorder"),
    "no encoding": (framed(without("content-encoding")), "the header has no content-encoding"),
    "type is a number": (
        framed(FIELDS | {"content-type": 5}),
        "content-type must be str, not int",
    ),
    "middle": (framed(FIELDS | {"byteorder": "middle"}), "byteorder must be 'big' or 'little'"),
}


@pytest.mark.parametrize(("data", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    for pieces in [(data,), *every_split(data)]:
        reader = Reader()
        reader.feed(encode(text_message("before")))
        for piece in pieces[:-1]:
            reader.feed(piece)
        assert reader.next_message() == text_message("before")
        reader.feed(pieces[-1])
        for more in (b"", STREAM):  # what follows is not taken for a message
            reader.feed(more)
            with pytest.raises(ProtocolError) as caught:
                reader.next_message()
            assert str(caught.value) == reason


def test_the_limits_themselves_are_allowed() -> None:
    header = with_length(str(MAX_CONTENT)).ljust(MAX_HEADER)
    (message,) = fed(framed(header), bytes(MAX_CONTENT))
    assert message.content == bytes(MAX_CONTENT)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"content-length": 5, "a": ' + "["])
def test_deep_nesting_is_refused(opening: str) -> None:
    reader = Reader()
    reader.feed(framed((opening * 4000)[:MAX_HEADER]))
    with pytest.raises(ProtocolError, match=r"nested too deeply|not JSON"):
        reader.next_message()


def test_a_content_that_is_too_long_is_refused_without_room_for_it() -> None:
    reader = Reader()
    tracemalloc.start()
    try:
        reader.feed(framed(with_length(str(2**31))))
        with pytest.raises(ProtocolError):
            reader.next_message()
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


# What is answered

WORDS = {"nobody": "'nobody'", "": "''", "\ud800": "'\\ud800'", "x" * 999: "'" + "x" * 79}


@pytest.mark.parametrize(("word", "named"), WORDS.items(), ids=["word", "empty", "half", "long"])
def test_a_word_that_is_unknown(word: str, named: str) -> None:
    reply = answer(json_message({"action": "search", "value": word}))
    assert json_of(reply) == {"result": f"nothing is known of {named}"}
    assert shown(reply).decode() == f"nothing is known of {named}\n"


def test_a_word_that_is_known() -> None:
    reply = json_of(answer(json_message({"action": "search", "value": "port"})))
    assert reply["result"].startswith("the number that tells")


@pytest.mark.parametrize("value", [{}, [], 0, "", None, False, {"action": "search"}, {"a": 1}])
def test_every_json_request_gets_a_reply(value: object) -> None:
    assert set(json_of(answer(json_message(value)))) == {"error"}


@pytest.mark.parametrize("value", [None, 1, [], {}, True, [[[]]]])
def test_a_value_to_search_for_is_a_string(value: object) -> None:
    reply = answer(json_message({"action": "search", "value": value}))
    assert error_in(reply) == "the value to search for must be a string"


def test_empty_contents_get_replies() -> None:
    assert answer(text_message("")) == text_message("")
    assert answer(numbers_message([])) == numbers_message([])
    assert answer(Message(b"", "binary/any")) == Message(b"", BINARY)
    assert error_in(answer(Message(b"", "text/json", "utf-8"))) == "the content is not JSON"


def test_text_is_reversed_by_characters() -> None:
    assert text_of(answer(text_message("1 €"))) == "€ 1"


@pytest.mark.parametrize("order", ["big", "little"])
def test_numbers_are_sorted_by_value(order: str) -> None:
    sent = numbers_message([65536, 1, 256, 258, 2**32 - 1, 0], order)
    assert answer(sent) == numbers_message([0, 1, 256, 258, 65536, 2**32 - 1], order)


BAD_CONTENTS = {
    "the content is not UTF-8": Message(b"\xff", "text/plain", "utf-8"),
    "the content is not JSON": Message(b"{", "text/json", "utf-8"),
    "NaN is not JSON": Message(b"[NaN]", "text/json", "utf-8"),
    "'a' is there twice": Message(b'{"a": 1, "a": 1}', "text/json", "utf-8"),
    "the content is nested too deeply": Message(b"[" * MAX_CONTENT, "text/json", "utf-8"),
    "numbers have 4 bytes each, and these have 3": Message(b"123", "binary/numbers"),
    "content-encoding must be utf-8 here, not 'rot13'": Message(b"", "text/plain", "rot13"),
    "content-type 'image/png' is not known here": Message(b"", "image/png"),
}


@pytest.mark.parametrize(("reason", "request_"), BAD_CONTENTS.items(), ids=BAD_CONTENTS)
def test_a_content_that_makes_no_sense_gets_the_reason(reason: str, request_: Message) -> None:
    assert error_in(answer(request_)) == reason


@given(messages)
def test_any_message_gets_a_reply_that_can_be_sent(message: Message) -> None:
    assert fed(encode(answer(message))) == [answer(message)]


def test_a_reply_is_never_longer_than_what_may_be_sent() -> None:
    longest = json_message({"action": "search", "value": "€" * (MAX_CONTENT // 6 - 9)})
    for request_ in (
        longest,
        text_message("€" * (MAX_CONTENT // 3)),
        numbers_message([1] * 262144),
    ):
        assert len(request_.content) <= MAX_CONTENT
        assert len(answer(request_).content) <= MAX_CONTENT


def test_a_reply_never_has_a_header_longer_than_allowed() -> None:
    header = json.dumps(FIELDS | {"content-type": "binary/x", "content-encoding": "é" * 1900})
    header = header.replace("\\u00e9", "é")
    (request_,) = fed(framed(header) + b"12345")
    assert fed(encode(answer(request_))) == [Message(b"12345", BINARY)]


# One client, without its socket


def told(client: Client, *pieces: bytes) -> list[Message]:
    """The replies that a client is owed after each of these pieces; all are sent at once."""
    sent = b""
    for piece in pieces:
        client.feed(piece)
        while answer_some(client):
            sent += client.owed
            client.owed.clear()
    return fed(sent)


def test_two_thousand_requests_in_any_pieces() -> None:
    requests = [text_message(f"{number} €") for number in range(2000)]
    stream = b"".join(map(encode, requests))
    places = random.Random(3).sample(range(len(stream)), 500)
    assert told(Client(), *cut(stream, places), b"") == [answer(each) for each in requests]


def test_who_is_owed_much_is_not_read_and_not_answered() -> None:
    client, stream = Client(), encode(Message(bytes(20_000), "binary/x")) * 9
    client.feed(stream)
    assert answer_some(client)
    assert not client.listened_to
    assert MOST_OWED <= len(client.owed) < MOST_OWED + 20_200
    client.owed.clear()
    assert answer_some(client)
    client.owed.clear()
    answer_some(client)
    assert client.listened_to


def test_what_follows_a_refusal_is_dropped() -> None:
    client = Client()
    replies = told(client, encode(text_message("ab")) + b"\0\0", STREAM, STREAM)
    assert [text_of(replies[0]), error_in(replies[1])] == ["ba", HOSTILE["no header"][1]]
    assert len(replies) == 2
    assert client.phase is Phase.REFUSED
    assert client.listened_to
    assert not client.reader.buffer
    assert told(client, b"") == []
    assert client.phase is Phase.ENDED


def test_an_end_inside_a_message_is_told_once() -> None:
    client = Client()
    replies = told(client, encode(text_message("ab")) + STREAM[:9], b"")
    assert [each and error_in(each) for each in replies] == [
        None,
        "the stream ended inside a message",
    ]
    assert told(client) == []


# What the command line means


@pytest.mark.parametrize("word", ["x", "", "1.5", "-1", "4294967296", "1,,2", "9" * 5000])
def test_numbers_that_are_none(word: str) -> None:
    with pytest.raises(ProtocolError, match=r"^numbers are 0 to 4294967295, as in 258,7: not "):
        requests_for("numbers", [word], "big", None)


@pytest.mark.parametrize("action", ["text", "search"])
def test_a_word_that_is_too_long(action: str) -> None:
    with pytest.raises(ProtocolError, match="a content has 1048576 bytes at most"):
        requests_for(action, ["x" * (MAX_CONTENT + 1)], "big", None)
