"""Public checks of lab 05, simplest first. A docstring is a check's title and its meaning.

The program is a client here, and the checks play its servers.
"""

import re
import socket
import sys
from contextlib import contextmanager, suppress

import pytest

from socketlab.harness import HOST, Listener, ended, lab_check

LONG = 60  # seconds: a time-out that no right program ever sees
SHORT = 1  # second: one that it does see
MANY = 350_000  # lines: more than all buffers between two programs hold
BROKEN = "ConnectionResetError|ConnectionAbortedError|BrokenPipeError|ConnectionError"


def message(number, lines=1):
    """What the program has to send on this connection."""
    return b"I am connection %d\n" % number * lines


def result(number, reply):
    """The line that it has to print when this reply has come."""
    return f"connection {number}: {len(reply)} bytes {reply[:40]}"


def hear(conns, lines=1):
    """The servers' ends by the number of their connection, when each has got its whole message."""
    heard = {}
    for conn in conns:
        first = conn.receive_until(b"\n")
        number = int((re.fullmatch(rb"I am connection (\d{1,4})\n", first) or (0, 0))[1])
        if number in heard or not 0 < number <= len(conns):
            wanted = " or ".join(repr(message(n)) for n in range(1, len(conns) + 1))
            raise conn.program.failed("The wrong message came.", got=first, wanted=wanted[:200])
        conn.name = f"server {number}"
        if lines > 1:
            conn.expect(message(number, lines - 1))
        conn.expect_end()
        heard[number] = conn
    return heard


def come(listener, program, number):
    """The server's end of connection number, which has a listener of its own."""
    conn = listener.accept(program)
    conn.name = f"server {number}"
    return conn


def serve(conn, number, lines, data):
    """A server gets its message to the end, answers, and ends its stream."""
    conn.expect(message(number, lines))
    conn.expect_end()
    reply(conn, data)


def reply(conn, data):
    """A server answers and ends its stream; the program has seen it before anything else comes."""
    conn.send(data)
    conn.close()
    conn.program.settle()


def expect_results(program, *wanted, code=0, limit=0):
    """The program ends, and has printed these lines (a pattern fits whole lines), in order."""
    got_code = ended(program, limit or program.patience.silence)
    lines = re.findall(r"^connection \d+: .*$", program.stdout.replace("\r", ""), re.MULTILINE)
    for number, line in enumerate(wanted, 1):
        got = next((each for each in lines if each.startswith(f"connection {number}: ")), "")
        if not re.fullmatch(line if "|" in line else re.escape(line), got):
            happened = f"It printed something else of connection {number}."
            if not got:
                happened = f'It printed no line that begins with "connection {number}: ".'
            got, line = got or "no such line", line.partition("|")[0]
            raise program.failed(happened, got=got, wanted=line, signs=("wrong result",))
    if [int(line.split()[1][:-1]) for line in lines] != list(range(1, len(wanted) + 1)):
        got, line = ", ".join(lines)[:200], "one line a connection, in the order of the ports"
        raise program.failed("The lines are not in order.", got=got, wanted=line, signs=("order",))
    if got_code != code:
        happened = "The lines are right, but the exit code is not."
        raise program.failed(happened, got=f"exit code {got_code}", wanted=f"exit code {code}")


@contextmanager
def refusing():
    """A port where nobody listens, and nobody else can."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        yield sock.getsockname()[1]


@contextmanager
def full():
    """A port where connecting takes as long as this lasts (on Linux)."""
    with socket.socket() as sock, socket.socket() as first:
        sock.bind((HOST, 0))
        sock.listen(0)
        first.connect(sock.getsockname())  # it is never accepted: there is no room for another
        yield sock.getsockname()[1]


def sleeps_never(start):
    """Whether the program does not sleep either while nothing but connecting is under way."""
    if sys.platform != "linux":
        return False
    with full() as port:
        seen = start(HOST, LONG, 1, port).watch()
        return seen.busy or seen.polling


@contextmanager
def listeners(count):
    """So many servers, each with a port of its own."""
    made = [Listener() for _ in range(count)]
    for number, listener in enumerate(made, 1):
        listener.number = number
    try:
        yield made
    finally:
        for listener in made:
            listener.close()


@lab_check(read="connecting", gate=True)
def test_connects(start):
    """it connects to the port that it is told

    main() gives converse() a list of talks. For each of them, begin() makes a socket and calls
    connect_ex() with talk.address.
    """
    with Listener() as listener:
        listener.accept(start(HOST, LONG, 1, listener.port))


@lab_check(read="talk")
def test_message(start):
    """its message arrives

    When the selector says that the socket is ready to write, and SO_ERROR says 0, you are
    connected: send talk.message, a part at a time.
    """
    with Listener() as listener:
        listener.accept(start(HOST, LONG, 2, listener.port)).expect(message(1, 2))


@lab_check(read="talk", after="test_message")
def test_half_close(start):
    """after its message, the server sees the end of the stream

    Nothing marks the end of the message but the end of the stream. Call shutdown(SHUT_WR) as
    soon as all is sent; close() would take away the reply, too.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, listener.port)
        conn = listener.accept(program)
        conn.expect(message(1))
        conn.expect_end()


@lab_check(read="loop", after="test_half_close")
def test_reply(start):
    """it tells the reply when the stream has ended, and ends itself

    recv() returns b"" when the server has closed. Then this talk is over: unregister its socket,
    close it. The loop of converse() ends when nobody is registered any more.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, listener.port)
        conn = hear([listener.accept(program)])[1]
        if not program.settle():
            told = program.stdout.strip() or "nothing on stdout"
            happened = "It ended before the server had replied."
            raise program.failed(
                happened, got=told, wanted="it waits for the reply", signs=("ended early",)
            )
        reply(conn, b"Hello, number 1!")
        expect_results(program, result(1, b"Hello, number 1!"))


@lab_check(read="pieces", after="test_reply")
def test_pieces(start):
    """a reply that comes byte by byte is one reply

    recv() returns what is there. Add it to talk.reply, and go on until recv() returns b"".
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, listener.port)
        conn = hear([listener.accept(program)])[1]
        conn.send_byte_by_byte(b"a \n\n\0\xff!")
        conn.close()
        expect_results(program, result(1, b"a \n\n\0\xff!"))


@lab_check(read="at_once", after="test_message")
def test_all_at_once(start):
    """all connections are open before the first is answered

    The servers wait until all have come. begin() must not wait for anything, and converse()
    begins all talks before its loop.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, *[listener.port] * 3)
        hear(listener.accept_all(program, 3))
        listener.nobody(program)


@lab_check(read="at_once", after=("test_reply", "test_all_at_once"))
def test_own_replies(start):
    """each connection keeps its own reply, in whatever order they come

    The pieces of three replies come in turn, the last connection first. What belongs to one
    talk is kept in that talk; main() prints them in the order of the ports.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, *[listener.port] * 3)
        conns = hear(listener.accept_all(program, 3))
        for piece in (b"this is ", b"your reply, "):
            for number in (3, 2, 1):
                conns[number].send_in_pieces(piece)
        replies = [b"this is your reply, number %d" % number for number in (1, 2, 3)]
        for number in (3, 2, 1):
            conns[number].send_in_pieces(replies[number - 1][20:])
            conns[number].close()
        expect_results(program, *map(result, (1, 2, 3), replies))


@lab_check(read="write", after=("test_half_close", "test_all_at_once"))
def test_waiting(start):
    """it sleeps while it waits for replies

    Nearly always there is room to send, so a socket that is asked for WRITE is ready at once,
    each time. Ask for WRITE only while you have something to send; and let select() sleep.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, *[listener.port] * 2)
        hear(listener.accept_all(program, 2))
        program.steps.add("no server answers for now: the program is watched")
        seen = program.watch()
        if seen.busy or seen.polling:
            signs = ("never sleeps",) if sleeps_never(start) else ()
            cpu = program.cpu_seconds()
            program.look_inside(cpu - 1 if seen.busy else cpu, 1)  # it is known: just where
            happened = "The program is busy, although there is nothing to do."
            if not seen.busy:
                times = f"{seen.wake_ups} times in {seen.seconds:.2f} seconds"
                happened = f"The program woke {times}, although there is nothing to do."
                signs += ("polls",)
            raise program.failed(happened, signs=signs)


@lab_check(read="loop", after="test_reply")
def test_empty(start):
    """an empty message and an empty reply are a conversation, too

    With LINES 0 there is nothing to send but the end of the stream, and recv() returns b"" at
    once. The reply has no bytes, and that is no error.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 0, listener.port)
        program.steps.add("LINES is 0: the message has no bytes")
        conn = listener.accept(program)
        conn.expect_end()
        conn.close()
        expect_results(program, result(1, b""))


@lab_check(read="at_once", after="test_all_at_once")
def test_one_thread(start):
    """it has one thread for all of this

    A thread for each connection would do as well, and cost more. This lab is about the other
    way: one thread that asks the selector who is ready.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, *[listener.port] * 5)
        hear(listener.accept_all(program, 5))
        if (count := program.threads()) > 1:
            happened = "It has more than one thread (processes that it started count, too)."
            raise program.failed(happened, got=f"{count} threads", wanted="1 thread")


@lab_check(read="refused", after="test_reply")
def test_refused(start):
    """a connection that is refused has its error, the others have their replies

    Refused or connected, the socket becomes ready to write. Ask it for SO_ERROR, and raise
    OSError with that number if it is not 0. Whoever calls catches OSError, keeps the name of its
    type in talk.error, and goes on with the others.
    """
    with listeners(2) as (one, three), refusing() as nobody:
        program = start(HOST, LONG, 1, one.port, nobody, three.port)
        program.steps.add("at the second of three ports nobody listens")
        for listener, number in ((three, 3), (one, 1)):
            serve(come(listener, program, number), number, 1, b"well")
        lines = result(1, b"well"), "connection 2: ConnectionRefusedError", result(3, b"well")
        expect_results(program, *lines, code=1)


@lab_check(read="connecting", after="test_all_at_once")
@pytest.mark.skipif(sys.platform != "linux", reason="only tried on Linux")
def test_connecting(start):
    """a connection that is kept waiting keeps nobody else waiting

    A server may be too busy to let you in. connect_ex() on a non-blocking socket returns at
    once, and the kernel goes on connecting. Do not send before the socket is ready to write.
    """
    with full() as busy, Listener() as listener:
        program = start(HOST, LONG, 1, busy, listener.port)
        program.steps.add("the server of the first port lets nobody in for now")
        serve(come(listener, program, 2), 2, 1, b"well")
        if not program.settle():
            raise program.failed("It ended, although its first connection is still under way.")


@lab_check(read="long", after="test_all_at_once")
def test_long_messages(start):
    """messages of six megabytes arrive, although one server reads nothing for now

    There is not room for all of it at once. Call send(): it takes what there is room for, and
    returns how much that was. Send the rest when the selector says that there is room again.
    Meanwhile the other conversations go on.
    """
    with listeners(2) as (first, second):
        program = start(HOST, LONG, MANY, first.port, second.port)
        conns = come(first, program, 1), come(second, program, 2)
        for number in (2, 1):
            serve(conns[number - 1], number, MANY, b"well")
        expect_results(program, result(1, b"well"), result(2, b"well"))


@lab_check(read="long", after=("test_reply", "test_long_messages"))
def test_reads_while_it_sends(start):
    """a reply may come before the message is sent

    This server reads nothing until its reply has been read. While you send, be ready for both,
    and if both are possible, read first.
    """
    data = b"I talk first. " * 30_000
    with Listener() as listener:
        program = start(HOST, LONG, MANY, listener.port)
        conn = listener.accept(program)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        conn.send(data)
        conn.expect(message(1, MANY))
        conn.expect_end()
        conn.close()
        expect_results(program, result(1, data))


@lab_check(read="silent", after=("test_reply", "test_all_at_once"))
def test_silent(start):
    """a server that says nothing ends in a time-out, and only that conversation

    select() takes the seconds that are left. When the time is up, the talks that are still
    registered are the silent ones.
    """
    with listeners(2) as (silent, other):
        program = start(HOST, SHORT, 1, silent.port, other.port)
        program.steps.add("the first server says nothing; the second one answers")
        come(silent, program, 1)
        serve(come(other, program, 2), 2, 1, b"well")
        lines = "connection 1: TimeoutError", result(2, b"well")
        expect_results(program, *lines, code=1, limit=SHORT + program.patience.silence)


@lab_check(read="silent", after="test_silent")
def test_one_deadline(start):
    """the time is up even if a server goes on talking

    TIMEOUT is for all conversations together. A limit for each select() or recv() begins again
    with every byte. Compute, before each select(), how much is left.
    """
    with Listener() as listener:
        program = start(HOST, SHORT, 1, listener.port)
        conn = hear([listener.accept(program)])[1]
        program.steps.add("the server sends a byte now and then, and never ends")
        before, wait = program.cpu_seconds(), SHORT + program.patience.silence
        for _ in range(int(wait / 0.1)):
            if program.wait_ended(0.1):
                break
            with suppress(OSError):  # it may just have hung up
                conn.sock.send(b".")
        else:
            program.look_inside(before, wait)
            happened = f"After {wait:g} seconds it still listens to a server that never ends."
            raise program.failed(happened, signs=("still runs",))
        expect_results(program, "connection 1: TimeoutError", code=1)


@lab_check(read="refused", after=("test_reply", "test_all_at_once"))
def test_reset(start):
    """a server that breaks off has its error, the others have their replies

    Then recv() or send() raises a ConnectionError. It ends this conversation, not the program;
    the part of a reply that had come is no reply.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, *[listener.port] * 3)
        conns = hear(listener.accept_all(program, 3))
        program.settle()
        conns[2].send(b"half a re")
        conns[2].reset()
        program.settle()
        reply(conns[3], b"well")
        reply(conns[1], b"well")
        broken = "|".join(f"connection 2: {name}" for name in BROKEN.split("|"))
        expect_results(program, result(1, b"well"), broken, result(3, b"well"), code=1)
