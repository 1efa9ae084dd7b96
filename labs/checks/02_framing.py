"""Public checks of lab 02, simplest first. A docstring is a check's title and its meaning."""

from socketlab.harness import Raised, lab_check
from socketlab.peers import byte_by_byte, every_split

CAPS = (1, 2, 3, 7)  # the most bytes that one recv() or send() moves


EVERY_BYTE = bytes(range(256)) * 256
WHY_258 = " 258 is 1 * 256 + 2, so its two bytes are 01 02."


def wire(*messages):
    """Messages as they travel: two bytes of length before each."""
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def arrived(functions, data, **how):
    """(the function's socket, the peer): data lie at that socket, unread."""
    theirs, peer = functions.socket(**how)
    peer.send(data)
    functions.wait_readable(theirs, len(data))
    return theirs, peer


def check_unread(functions, theirs, wanted, name):
    """What comes after what a function returned still lies at its socket."""
    functions.steps.add(f"what {name}() left unread is looked at")
    if (got := functions.unread(theirs)) != wanted:
        happened = f"{name}() did not leave on the connection what comes next."
        raise functions.failed(happened, got=got, wanted=wanted, signs=("took more",))


def check_sent(functions, *messages, cap=0, why=""):
    """The messages, given to send_message() one after another, arrive with their lengths."""
    theirs, peer = functions.socket(cap=cap)
    for message in messages:
        call = functions.start("send_message", theirs, message)
        if isinstance(value := call.result(), Raised):
            if value.name == "ValueError" and "range(" not in value.words:  # not of bytes([300])
                raise refused(functions, value, len(message))
            raise call.raised(value)
    functions.finish(theirs)
    got, wanted = peer.receive_all(), wire(*messages)
    if got != wanted:
        raise functions.failed(f"Something else arrived.{why}", got=got, wanted=wanted)


def refused(functions, error, size):
    """The failure for a ValueError that says nothing true."""
    happened = f"send_message() refuses a message that is not too long: it has {size:,} bytes."
    wanted = f"two bytes of length and {size:,} bytes sent"
    got = f"ValueError: {error.words}"
    return functions.failed(happened, error, got=got, wanted=wanted, signs=("refused",))


@lab_check(read="exactly", gate=True)
def test_recv_exactly(functions):
    """recv_exactly returns five bytes that are there

    recv_exactly(conn, 5) receives from conn until it has five bytes, and returns them. It does
    not wait for the end of the stream: the other end may have more to say later.
    """
    theirs, _ = arrived(functions, b"hello")
    functions.expect(b"hello", "recv_exactly", theirs, 5)


@lab_check(read="exactly")
def test_takes_no_more(functions):
    """recv_exactly takes no byte of what comes next

    What you receive is gone from the connection, and whoever reads next misses it. Ask recv()
    for what is still missing, never for more. If nothing is missing, nothing is to be received.
    """
    theirs, _ = arrived(functions, b"hello, world")
    functions.expect(b"hello", "recv_exactly", theirs, 5)
    functions.expect(b"", "recv_exactly", theirs, 0)
    check_unread(functions, theirs, b", world", "recv_exactly")


@lab_check(read="exactly")
def test_small_pieces(functions):
    """recv_exactly collects its bytes, however few come at a time

    recv(n) returns between one byte and n. Call it until there are enough, and ask each time
    for as many as are still missing.
    """
    for cap in CAPS:
        theirs, peer = arrived(functions, b"hello, world", cap=cap)
        peer.finish()
        functions.expect(b"hello", "recv_exactly", theirs, 5)
        functions.expect(b", world", "recv_exactly", theirs, 7)
    theirs, peer = functions.socket()
    call = functions.start("recv_exactly", theirs, 5)
    call.feed(peer, *byte_by_byte(b"hello")).expect(b"hello")


@lab_check(read="exactly")
def test_ends_too_early(functions):
    """recv_exactly raises EOFError if the stream ends too early

    recv() returns b"" at the end of the stream, and does so each time it is called. Then the
    missing bytes will never come: raise EOFError. Part of the bytes is no result.
    """
    for data in (b"hell", b"h", b""):
        theirs, peer = functions.socket()
        peer.send(data)
        peer.finish()
        functions.expect_error("EOFError", "recv_exactly", theirs, 5)


@lab_check(read="framing")
def test_send_message(functions):
    """send_message sends two bytes of length, then the message

    b"hello" travels as b"\\x00\\x05hello": the number 5 as two bytes, the more significant one
    first. It is a number, not text.
    """
    check_sent(functions, b"hello")
    check_sent(functions, b"one", b"two two", b"3")


@lab_check(read="framing", after="test_send_message")
def test_lengths(functions):
    """the length is right for messages of 0 to 65,535 bytes

    Two bytes count from 0 to 65,535, so all these lengths are allowed. An empty message is sent,
    too: as its length, two zero bytes.
    """
    for size in (0, 1, 255, 258, 65_535):
        check_sent(functions, EVERY_BYTE[:size], why=WHY_258 if size == 258 else "")


@lab_check(read="framing", after="test_send_message")
def test_too_long(functions):
    """send_message raises ValueError for a longer message, and sends nothing of it

    Two bytes count to 65,535. Look at the length before anything is sent: the receiver would
    take whatever has gone out for the beginning of a message.
    """
    theirs, peer = functions.socket()
    for size in (65_536, 70_000):
        functions.expect_error("ValueError", "send_message", theirs, b"x" * size)
    functions.finish(theirs)
    if got := peer.receive_all():
        raise functions.failed("Bytes were sent all the same.", got=got, wanted="nothing")


@lab_check(read="sendall", after="test_send_message")
def test_nothing_is_lost(functions):
    """send_message sends all of it, even if send() takes only a part

    send() returns how many bytes it took, and leaves the rest to you. sendall() goes on until
    everything is sent.
    """
    for cap in CAPS:
        check_sent(functions, b"hello", b"", b"x" * 258, cap=cap)


@lab_check(read="framing")
def test_recv_message(functions):
    """recv_message returns a message that is there, without its length

    First receive the two bytes of the length, and make a number of them, the more significant
    byte first. Then receive as many bytes as it says, and return them.
    """
    for message in (b"hello", b"x" * 258):
        theirs, peer = arrived(functions, wire(message))
        peer.finish()
        functions.expect(message, "recv_message", theirs)


@lab_check(read="glued", after="test_recv_message")
def test_messages_together(functions):
    """messages that arrive together are read one by one

    recv(1024) takes whatever is there: the next message as well, and then nobody finds it. Ask
    for two bytes, then for as many as they say; recv_exactly does that.
    """
    theirs, _ = arrived(functions, wire(b"one", b"the second", b"3"))
    functions.expect(b"one", "recv_message", theirs)
    check_unread(functions, theirs, wire(b"the second", b"3"), "recv_message")
    theirs, _ = arrived(functions, wire(b"one", b"the second", b"3"))
    for message in (b"one", b"the second", b"3"):
        functions.expect(message, "recv_message", theirs)


@lab_check(read="empty", after="test_recv_message")
def test_empty_and_end(functions):
    """recv_message returns b"" for an empty message, and None only at the end

    A message of length 0 is a message like any other. The stream has ended if there is not even
    the first byte of a length: then return None, as often as you are asked.
    """
    theirs, peer = arrived(functions, wire(b"one", b"", b"three"))
    peer.finish()
    for wanted in (b"one", b"", b"three", None, None):
        functions.expect(wanted, "recv_message", theirs)


@lab_check(read="cuts", after="test_recv_message")
def test_message_in_pieces(functions):
    """recv_message is right wherever the stream is cut

    Each recv() may return less than was asked for, even of the two bytes of a length. Complete
    the length before you use it, and the message before you return it.
    """
    data = wire(b"hello", b"you")
    for pieces in (*every_split(data), byte_by_byte(data)):
        theirs, peer = functions.socket()
        call = functions.start("recv_message", theirs).feed(peer, *pieces)
        peer.finish()
        call.expect(b"hello")
        functions.expect(b"you", "recv_message", theirs)
    for cap in CAPS:
        theirs, peer = arrived(functions, wire(b"x" * 258, b"", b"1"), cap=cap)
        for message in (b"x" * 258, b"", b"1"):
            functions.expect(message, "recv_message", theirs)


@lab_check(read="framing", after="test_recv_message")
def test_end_inside(functions):
    """recv_message raises EOFError if the stream ends inside a message

    None means that all is well: every message was complete. If the stream ends after one byte of
    a length, or before the last byte of a message, something was lost: that is an EOFError.
    """
    for head, _ in every_split(wire(b"hello")):
        theirs, peer = functions.socket()
        peer.send(head)
        peer.finish()
        functions.expect_error("EOFError", "recv_message", theirs)


@lab_check(read="framing")
def test_line(functions):
    """read_line returns a line as soon as it is there, with its newline

    Receive until there is a newline, then return everything up to it, and the newline itself.
    The newline stays: so an empty line is b"\\n", and b"" can mean the end.
    """
    theirs, peer = functions.socket()
    reader = functions.make("LineReader", theirs)
    for line in (b"hello\n", b"\n", b"  you \n"):
        peer.send(line)
        reader.expect(line, "read_line")


@lab_check(read="glued", after="test_line")
def test_lines_together(functions):
    """lines that arrive together are returned one by one

    One recv() can bring several lines. Return the first, keep the rest in the object, and look
    there first when the next line is asked for.
    """
    theirs, peer = arrived(functions, b"one\ntwo\n\nfour\n")
    peer.finish()
    reader = functions.make("LineReader", theirs)
    for line in (b"one\n", b"two\n", b"\n", b"four\n"):
        reader.expect(line, "read_line")


@lab_check(read="cuts", after="test_line")
def test_line_in_pieces(functions):
    """read_line is right wherever the stream is cut, and keeps half a line for later

    Half a line may come with the line before it, and its other half much later. Put each new
    piece behind what you kept, and look for the newline in all of it.
    """
    first, second = b"first\r\n", b"second\n"
    for pieces in (*every_split(first + second), byte_by_byte(first + second)):
        theirs, peer = functions.socket()
        reader = functions.make("LineReader", theirs)
        reader.start("read_line").feed(peer, *pieces).expect(first)
        reader.expect(second, "read_line")
    for cap in CAPS:
        theirs, peer = functions.socket(cap=cap)
        reader = functions.make("LineReader", theirs)
        peer.send(b"x" * 5000 + b"\nyou\n")
        reader.expect(b"x" * 5000 + b"\n", "read_line")
        reader.expect(b"you\n", "read_line")


@lab_check(read="text", after="test_line")
def test_any_bytes(functions):
    """a line may hold every byte but a newline

    Only b"\\n" ends a line. All other bytes belong to it, b"\\r" too, and they need not be text:
    do not decode them.
    """
    line = bytes(range(11, 256)) + bytes(range(10)) + b"\n"
    theirs, peer = functions.socket(cap=7)
    reader = functions.make("LineReader", theirs)
    for wanted in (b"5 \xe2\x82\xac\n", b"a\rb\r\n", b"\r\r\n", line):
        peer.send(wanted)
        reader.expect(wanted, "read_line")


@lab_check(read="framing", after="test_line")
def test_last_line(functions):
    """what comes after the last newline is the last line, and then b"" is the end

    At the end of the stream recv() returns b"", and no newline will come any more. Return what
    is left once, and b"" from then on.
    """
    for data in (b"one\nthe last", b"one\n"):
        theirs, peer = functions.socket()
        peer.send(data)
        peer.finish()
        reader = functions.make("LineReader", theirs)
        for wanted in (b"one\n", data[4:], b"", b""):
            reader.expect(wanted, "read_line")


@lab_check(read="framing", after="test_lines_together")
def test_two_connections(functions):
    """two connections do not mix

    What came too early on one connection belongs to the reader of that connection: keep it in
    the object, not in the class or the module.
    """
    readers = []
    for number in range(2):
        theirs, peer = functions.socket()
        data = b"one %d\ntwo %d\n" % (number, number)
        peer.send(data)
        functions.wait_readable(theirs, len(data))
        peer.finish()
        readers.append(functions.make("LineReader", theirs))
    for word in (b"one", b"two"):
        for number, reader in enumerate(readers):
            reader.expect(b"%s %d\n" % (word, number), "read_line")
