"""Hidden checks of lab 02."""

from socketlab.harness import lab_check
from socketlab.peers import cut, random_cuts

CAPS = (0, 1, 2, 3, 7, 100)  # the most bytes that one recv() moves; 0: any number


def wire(*messages):
    """Messages as they travel: two bytes of length before each."""
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


@lab_check(read="cuts")
def test_random_messages(functions, rng):
    """random messages come through random cuts

    Nothing about a message can be known before it is there: not its size, not its bytes, not
    where the stream is cut.
    """
    for _ in range(15):
        messages = [rng.randbytes(rng.choice((0, 1, 5, 300))) for _ in range(rng.randint(1, 4))]
        theirs, peer = functions.socket(cap=rng.choice(CAPS))
        pieces = random_cuts(wire(*messages), rng, rng.randint(0, 4))
        call = functions.start("recv_message", theirs).feed(peer, *pieces)
        peer.finish()
        call.expect(messages[0])
        for wanted in (*messages[1:], None):
            functions.expect(wanted, "recv_message", theirs)


@lab_check(read="cuts")
def test_random_lines(functions, rng):
    """random lines come through random cuts

    Whatever the pieces are, the lines are the same.
    """
    for _ in range(15):
        data = b"".join(rng.choices((b"\n", b"\r", b"line", b"\0", b"\xff"), k=rng.randint(5, 20)))
        theirs, peer = functions.socket(cap=rng.choice(CAPS))
        reader = functions.make("LineReader", theirs)
        call = reader.start("read_line").feed(peer, *random_cuts(data, rng, rng.randint(0, 4)))
        peer.finish()
        first, *others = lines(data)
        call.expect(first)
        for wanted in (*others, b""):
            reader.expect(wanted, "read_line")


def lines(data):
    """What read_line() returns, one after another: the bytes between newlines, these included."""
    return cut(data, [place + 1 for place, byte in enumerate(data) if byte == 10])


@lab_check(read="framing")
def test_all_on_one_connection(functions):
    """all of them can read from one connection, one after another

    recv_exactly and recv_message leave everything that comes next on the connection, however
    much has arrived already.
    """
    for cap in CAPS:
        theirs, peer = functions.socket(cap=cap)
        data = b"8 bytes!" + wire(b"hello", b"") + b"end" + b"a line\nthe last"
        peer.send(data)
        functions.wait_readable(theirs, len(data))
        peer.finish()
        functions.expect(b"8 bytes!", "recv_exactly", theirs, 8)
        functions.expect(b"hello", "recv_message", theirs)
        functions.expect(b"", "recv_message", theirs)
        functions.expect(b"end", "recv_exactly", theirs, 3)
        reader = functions.make("LineReader", theirs)
        for wanted in (b"a line\n", b"the last", b""):
            reader.expect(wanted, "read_line")


@lab_check(read="cuts")
def test_large_message(functions):
    """a message of 65,535 bytes comes through small buffers

    It arrives in many pieces, of sizes that nobody knows. Receive until the last byte is there.
    """
    message = bytes(range(255)) * 257
    theirs, peer = functions.socket(small_buffers=True)
    call = functions.start("recv_message", theirs)
    peer.send(wire(message, b"next"))
    call.expect(message)
    functions.expect(b"next", "recv_message", theirs)
