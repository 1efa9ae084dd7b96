"""Public checks of lab 06, simplest first. A docstring is a check's title and its meaning."""

import json
import select

from socketlab.harness import Client, Failed, Other, Raised, lab_check
from socketlab.harness.envelopes import ask, envelope, header_of, opened, sealed
from socketlab.harness.scene import difference
from socketlab.harness.talker import around, calls_sendall
from socketlab.peers import byte_by_byte, every_split

TEXT, JSON, NUMBERS = "text/plain", "text/json", "binary/numbers"
MAX_CONTENT = 1 << 20
SEARCH = json.dumps({"action": "search", "value": "port"}).encode()
FOUND = "the number that tells one program of a host from another"


def check_built(functions, value, content, kind=TEXT, byteorder="big"):
    """build_message() makes a message with this content, and says so in its header."""
    call = functions.start("build_message", kind, value, byteorder)
    if isinstance(data := call.result(), Raised):
        raise call.raised(data)
    built = as_message(functions, data)
    if kind == JSON and (value := json_in(built)) is not Other:
        content = built.content if same_json(value, content) else json.dumps(content).encode()
    compare(functions, built.content, content, "The content is not what it must be.")
    for name, wanted in header_of(content, kind, byteorder=byteorder).items():
        happened = f"In the header, {name} is not what it must be."
        compare(functions, built.header[name], wanted, happened)


def as_message(functions, data):
    """What build_message() returned, taken apart."""
    if type(data) is not bytes:
        happened = "build_message() returned something else than bytes."
        raise functions.failed(happened, got=repr(data)[:80], wanted="bytes", signs=("no bytes",))
    try:
        built = opened(data)
    except ValueError as error:
        happened = f"build_message() returned no message: {error}."
        raise functions.failed(
            happened, got=data, wanted="a message", signs=("no message",)
        ) from None
    if isinstance(built, int) or built.size != len(data):
        behind = 2 + int.from_bytes(data[:2], "big")  # where the header ends
        happened = "The length of the header is more than there are bytes."
        if behind <= len(data):
            said, there = json.loads(data[2:behind])["content-length"], len(data) - behind
            happened = f"content-length is {said}, but the content has {there} bytes."
        said = "content-length: the number of bytes of the content"
        raise functions.failed(happened, got=data, wanted=said, signs=("wrong length",))
    return built


def compare(functions, got, wanted, happened):
    """What was built is equal to what is wanted."""
    if got != wanted:
        shown = {"got": shown_bytes(got), "wanted": shown_bytes(wanted)}
        raise functions.failed(happened, signs=("wrong field",), **shown)


def shown_bytes(value):
    """A value for the report."""
    return value if isinstance(value, bytes) and value else repr(value)


def json_in(message):
    """The JSON value that a content is; Other if it is none."""
    try:
        return message.value
    except ValueError:
        return Other


def same_json(one, other):
    """Whether two values are the same in JSON: there, 0 and false are not."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def feed(reader, data):
    """A reader gets bytes; what feed() returns is its own business."""
    call = reader.start("feed", data)
    if isinstance(error := call.result(), Raised):
        raise call.raised(error)


def next_is(reader, header, content):
    """The next message of a reader is this one."""
    call = reader.start("next_message")
    got = call.result()
    if isinstance(got, Raised):
        raise call.raised(got, "a message")
    fits = type(got) in (tuple, list) and len(got) == 2 and type(got[1]) is bytes
    if not fits or got[0] != header or got[1] != content:
        shown = {"got": repr(got)[:200], "wanted": repr((header, content))[:200]}
        signs = ("no message yet",) if got is None else ("wrong message",)
        happened = "next_message() returned something else."
        raise reader.functions.failed(happened, signs=signs, **shown)


def read_all(functions, pieces, messages):
    """A new reader is fed with the pieces, and then has these messages, and no other."""
    reader = functions.make("MessageReader")
    for piece in pieces:
        feed(reader, piece)
    for header, content in messages:
        next_is(reader, header, content)
    reader.expect(None, "next_message")


def refused(functions, data, what):
    """A new reader refuses this, with a reason."""
    if accepted := accepts(functions, data, what):
        happened = f"next_message() did not refuse {what}."
        raise functions.failed(happened, signs=("not refused",), **accepted)


def accepts(functions, data, what):
    """What a new reader does with this, for the report; {} if it refuses it, with a reason."""
    functions.steps.forget()
    reader = functions.make("MessageReader")
    feed(reader, data)
    call = reader.start("next_message")
    got = call.result()
    if not isinstance(got, Raised):
        return {"got": repr(got)[:200], "wanted": "a ProtocolError"}
    if "ProtocolError" not in got.bases:
        raise call.raised(got, "ProtocolError")
    if not got.words:
        raise functions.failed(f"The ProtocolError for {what} has no text: it is the reason.")
    return {}


def check_reply(client, request, content, kind=TEXT):
    """A request gets this reply."""
    [reply] = ask(client, request)
    got = json_in(reply) if kind == JSON else reply.content
    if reply.kind != kind or got != content:
        happened, signs = "Another reply came.", ("wrong reply", *calls_sendall(client.program))
        seen = {"got": f"{reply.kind}: {got!r}"[:200], "wanted": f"{kind}: {content!r}"[:200]}
        if kind == reply.kind != JSON and (shown := around(got, content)):
            happened = f"Another reply came: {difference(got, content)}."
            seen = shown
        raise client.program.failed(happened, signs=signs, **seen)


def check_error(client, *requests):
    """A request gets {"error": reason}, after the replies to those before it."""
    *_, reply = ask(client, *requests)
    got = json_in(reply)
    reason = got.get("error") if isinstance(got, dict) else None
    if not isinstance(reason, str) or not reason:
        seen = {"got": reply.content, "wanted": '{"error": a reason}'}
        raise client.program.failed("It gave no reason.", signs=("no reason",), **seen)


def expect_no_more(liar):
    """After the reason the end of the stream comes, whatever the client still sends."""
    silence = liar.program.patience.silence
    if not select.select([liar.sock], [], [], silence)[0]:
        liar.send(envelope(b"hello"))
        if select.select([liar.sock], [], [], silence / 2)[0] and (more := liar.sock.recv(65536)):
            happened = "It answered what came behind the bytes that it had refused."
            seen = {"got": more, "wanted": 'b"" (the end of the stream)'}
            raise liar.program.failed(happened, signs=("answers more",), **seen)
    liar.expect_end()


def expect_sleep(server, why, signs=()):
    """The program sleeps for now."""
    server.steps.add(f"{why}: the program is watched")
    seen = server.watch()
    if seen.busy or seen.polling:
        cpu = server.cpu_seconds()
        server.look_inside(cpu - 1 if seen.busy else cpu, 1)  # it is known: just where
        happened = "The program is busy, although there is nothing to do."
        if not seen.busy:
            times = f"{seen.wake_ups} times in {seen.seconds:.2f} seconds"
            happened = f"The program woke {times}, although there is nothing to do."
        raise server.failed(happened, signs=signs)


def say_hello(client):
    """A client is served."""
    check_reply(client, envelope(b"hello"), b"olleh")


@lab_check(read="describing", gate=True)
def test_build_text(functions):
    """build_message puts the header's length, the header and a text in a row

    First the content as bytes, then the header as bytes, which says how many bytes the content
    has, and last the length of the header as two bytes, the more significant one first.
    """
    check_built(functions, "hello", b"hello")


@lab_check(read="describing", after="test_build_text")
def test_counts_bytes(functions):
    """content-length is the number of bytes, not of numbers or characters

    Two numbers are eight bytes, and a character may be several bytes in UTF-8: é is two, € is
    three. Make the content first, as bytes, then count.
    """
    call = functions.start("build_message", NUMBERS, [258, 7], "big")
    if isinstance(data := call.result(), Raised):
        raise call.raised(data)
    as_message(functions, data)
    for text in ("é", "é" * 258, "5 €"):
        check_built(functions, text, text.encode())
        check_built(functions, {"text": text}, {"text": text}, JSON)


@lab_check(read="order", after="test_build_text")
def test_build_numbers(functions):
    """build_message writes numbers in the byte order that it is told

    258 is 1 * 256 + 2: in four bytes 00 00 01 02 (big), or 02 01 00 00 (little). The header says
    which. The largest number is ff ff ff ff. Bytes of any other kind stay as they are.
    """
    for order in ("big", "little"):
        content = b"".join(number.to_bytes(4, order) for number in (258, 7))
        check_built(functions, [258, 7], content, NUMBERS, order)
    check_built(functions, [2**32 - 1], b"\xff" * 4, NUMBERS)
    check_built(functions, b"\x00\xff\n", b"\x00\xff\n", "binary/any")


@lab_check(read="contents", after="test_build_text")
def test_build_empty(functions):
    """build_message makes a message of an empty value, too

    {}, [], 0, "" and false are values, and all are written in JSON: {} as two bytes. An empty
    text is a message whose content has no bytes.
    """
    for value in ({}, [], 0, "", False, None):
        check_built(functions, value, value, JSON)
    check_built(functions, "", b"")
    check_built(functions, [], b"", NUMBERS)
    check_built(functions, b"", b"", "binary/any")


@lab_check(read="reader")
def test_reader(functions):
    """MessageReader returns a message when it is there, and None before and after it

    next_message() returns (header, content): a dict and bytes. A content of no bytes is a
    message like any other: None means "not yet", and nothing else does.
    """
    reader = functions.make("MessageReader")
    reader.expect(None, "next_message")
    for content in (b"hello", b"", b"\x00\xff"):
        header = header_of(content, "binary/any")
        feed(reader, sealed(header, content))
        next_is(reader, header, content)
        reader.expect(None, "next_message")


@lab_check(read="reader", after="test_reader")
def test_together(functions):
    """messages that arrive together come out one by one, and half a message is kept

    Take off the front what belongs to one message, and not one byte more. What is left is the
    beginning of the next.
    """
    messages = [(header_of(content), content) for content in (b"one", b"", b"three")]
    data = b"".join(sealed(*message) for message in messages)
    read_all(functions, [data], messages)
    read_all(functions, [data + data[:50], data[50:]], messages * 2)


@lab_check(read="every_cut", after="test_together")
def test_cuts(functions):
    """it makes no difference where the stream is cut

    The two bytes of the length can be cut, the header, the content. Keep what is there, and
    look again when there is more.
    """
    header = header_of("5 €".encode())
    data = sealed(json.dumps(header, separators=(",", ":")).encode(), "5 €".encode())
    reader = functions.make("MessageReader")
    for pieces in (*every_split(data), byte_by_byte(data)):
        for piece in pieces[:-1]:
            feed(reader, piece)
            reader.expect(None, "next_message")
        feed(reader, pieces[-1])
        next_is(reader, header, "5 €".encode())


def lying_headers():
    """(what is wrong, a header): each is to be refused."""
    right = header_of(b"hello")
    lengths = ("5", 5.0, 1.5, -1, True, None, [], 2**63)
    lies = [
        (f"content-length {length!r}", right | {"content-length": length}) for length in lengths
    ]
    lies += [(f"no {name}", {n: v for n, v in right.items() if n != name}) for name in right]
    lies += [("byteorder 'middle'", right | {"byteorder": "middle"})]
    lies += [("byteorder 1", right | {"byteorder": 1}), ("a list", [right]), ("null", None)]
    twice = json.dumps(right)[:-1] + ', "content-length": 6}'
    lies += [("content-length twice", twice.encode()), ("no JSON", b"{hello}")]
    return [*lies, ("Latin-1", b'{"name": "\xe9", ' + json.dumps(right).encode()[1:])]


def header_text(header):
    """A header in full, for the report."""
    return "the header " + sealed(header)[2:].decode("latin-1")


@lab_check(read="lies", after="test_reader")
def test_lies(functions):
    """every header that lies is refused with a ProtocolError

    Look at each field before you use it: is it there, is its type exactly the one in FIELDS, is
    its value possible? In Python, True is an int, and of two equal names the last one wins.
    """
    lies, accepted, others = lying_headers(), [], []
    for what, header in lies:
        try:
            seen = accepts(functions, sealed(header, b"hello"), what)
        except Failed as failed:
            if not any(sign.startswith("raised ") for sign in failed.signs):
                raise
            failed.sent = header_text(header)
            others.append(failed)
            continue
        if seen:
            accepted.append((what, {"sent": header_text(header), **seen}))
    if others and not accepted:
        raise others[0]
    if accepted:
        names = ", ".join(what for what, _ in accepted[:4]) + "." + ".." * (len(accepted) > 4)
        were = "was" if len(accepted) == 1 else "were"
        happened = f"{len(accepted)} of {len(lies)} wrong headers {were} accepted: {names}"
        functions.steps.forget()  # they are of the last header; what was sent says enough
        functions.steps.add("MessageReader() gets each wrong header, and 5 bytes of content")
        raise functions.failed(happened, signs=("not refused",), **accepted[0][1])


@lab_check(read="lies", after="test_reader")
def test_limits(functions):
    """a length outside its limits is refused at once, before the bytes that it announces

    The length of the header is known after two bytes, content-length when the header is there.
    Whoever first waits for the bytes lets a stranger decide how much memory is used.
    """
    for length in (0, 4097, 65_535):
        refused(functions, length.to_bytes(2, "big"), f"a header of {length:,} bytes")
    for length in (MAX_CONTENT + 1, 2**31):
        data = sealed(header_of(b"", content_length=length))
        refused(functions, data, f"a content of {length:,} bytes")
    reader = functions.make("MessageReader")
    header = header_of(b"hello", name="x" * 3950)
    header["name"] += "x" * (4096 - len(json.dumps(header)))
    feed(reader, sealed(header, b"hello"))
    next_is(reader, header, b"hello")
    feed(reader, sealed(header_of(b"", content_length=MAX_CONTENT)))
    reader.expect(None, "next_message")


@lab_check(read="conversation")
def test_one_request(client):
    """the server answers a request, and one more on the same connection

    The reply to a text is the text reversed. answer() says what is to be sent, build_message()
    makes bytes of it. After a reply the connection stays open: the client may ask again.
    """
    check_reply(client, envelope(b"hello"), b"olleh")
    check_reply(client, envelope("5 €".encode()), "€ 5".encode())


@lab_check(read="write", after="test_one_request")
def test_sleeps(server):
    """the server sleeps while nobody talks

    Nearly always there is room to send, so who asks for WRITE is woken at once, each time. Ask
    for WRITE only while something is owed; and let select() wait.
    """
    expect_sleep(server, "nobody is connected", ("never sleeps",))
    with Client(server) as client:
        say_hello(client)
        expect_sleep(server, "the client says nothing for now")


@lab_check(read="contents", after="test_one_request")
def test_kinds(client):
    """the server answers each kind of content, and goes on after one that makes no sense

    The header says what a content is: its type, its encoding, its byte order. A good header with
    a content that makes no sense gets {"error": reason}, and the next request is answered.
    """
    check_reply(client, envelope(SEARCH, JSON), {"result": FOUND}, JSON)
    check_reply(
        client, envelope("né".encode("latin-1"), content_encoding="latin-1"), "én".encode()
    )
    numbers, in_order = b"\x02\x01\0\0\x07\0\0\0", b"\x07\0\0\0\x02\x01\0\0"
    check_reply(client, envelope(numbers, NUMBERS, byteorder="little"), in_order, NUMBERS)
    check_reply(client, envelope(bytes(range(256)), "binary/x"), bytes(range(256)), "binary/reply")
    for content in (b"{}", b"[]", b"0", b'""', b"", b"\xff"):
        check_error(client, envelope(content, JSON))
    check_error(client, envelope(b"hello", content_encoding="morse"))
    check_reply(client, envelope(b""), b"")


@lab_check(read="conversation", after="test_one_request")
def test_pipelined(client):
    """2,000 requests at once get 2,000 replies, in order

    One recv() can bring hundreds of requests, and end inside one. Answer all that are there
    before you wait for more, and keep the beginning of the next one: its end is still to come.
    """
    texts = [str(number).encode() for number in range(10_000, 12_000)]
    replies = ask(client, *map(envelope, texts))
    for number, (text, reply) in enumerate(zip(texts, replies, strict=True), 1):
        if reply.content != text[::-1]:
            happened = f"Reply {number:,} does not belong to request {number:,}."
            signs = ("ends in a refusal",) if b'"error"' in reply.content[:10] else ()
            seen = {"got": reply.content, "wanted": text[::-1]}
            raise client.program.failed(happened, signs=signs, **seen)


@lab_check(read="phases", after="test_one_request")
def test_half_close(client):
    """a client that says "no more" still gets all replies, then the end of the stream

    recv() returns b"" when no more requests will come. What you still owe the client has to be
    sent all the same; then close the connection.
    """
    content = bytes(range(256)) * 4000
    client.send(envelope(content[:1000], "binary/x"))
    client.finish()
    check_reply(client, b"", content[:1000], "binary/reply")
    client.expect_end()
    with Client(client.program, small_buffers=True) as slow:
        slow.send(envelope(content, "binary/x"))
        slow.finish()
        check_reply(slow, b"", content, "binary/reply")
        slow.expect_end()


@lab_check(read="liar", after="test_one_request")
def test_refusal(server):
    """who sends no message gets a reason and the end of the stream, and nobody else notices

    Catch the ProtocolError, send the refusal(), and close this connection: behind a wrong header
    nobody can tell where the next message begins. Other clients go on as before.
    """
    with Client(server) as honest:
        say_hello(honest)
        for what, header in [("of no bytes", b""), *lying_headers()]:
            with Client(server) as liar:
                server.steps.add(f"{liar.name} sends a header that is wrong: {what}")
                check_error(liar, envelope(b"good"), sealed(header))
                expect_no_more(liar)
            say_hello(honest)


@lab_check(read="liar", after="test_refusal")
def test_refusal_arrives(server):
    """the reason arrives, although the client had sent more

    close() while bytes of the client are unread is a reset, and can destroy what was sent before
    it. Say that you are done (SHUT_WR), read on without looking until the client has left, then
    close.
    """
    for size in (100_000, 1_000_000):
        with Client(server) as liar:
            if size == 100_000:
                liar.send_glued(b"\0\0", envelope(b"hello"), b"x" * size)
            check_error(liar, b"" if size == 100_000 else b"\0\0" + b"x" * size)
            liar.expect_end()
    with Client(server) as client:
        say_hello(client)


@lab_check(read="conversation", after="test_one_request")
def test_bad_manners(server):
    """a client that stops inside a message, is silent or resets does no harm

    Each client has a reader of its own, and its own place in what it says. A reset raises
    ConnectionResetError: the end of this client, not of the server.
    """
    data = envelope(b"hello")
    with Client(server) as silent, Client(server) as stopped, Client(server) as honest:
        stopped.send(data[:20])
        say_hello(honest)
        for end in ("close", "reset", "finish"):
            with Client(server) as leaving:
                say_hello(leaving)
                leaving.send(data[:-1])
                getattr(leaving, end)()
                if end == "finish":
                    leaving.receive_all()
            say_hello(honest)
        check_reply(stopped, data[20:], b"olleh")
        say_hello(silent)


@lab_check(read="phases", after="test_one_request")
def test_slow_reader(server):
    """a client that does not read its reply holds nobody up

    sendall() waits for the slowest client, or fails on a socket that does not block. Send what
    the system takes, keep the rest, and go on when it takes more.
    """
    content = bytes(range(256)) * 4096
    with Client(server, small_buffers=True) as slow, Client(server) as honest:
        slow.send(envelope(content, "binary/x"))
        server.settle()  # now the reply is owed
        for _ in range(3):
            say_hello(honest)
        check_reply(slow, b"", content, "binary/reply")
        say_hello(slow)
