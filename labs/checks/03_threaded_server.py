"""Public checks of lab 03, simplest first. A docstring is a check's title and its meaning."""

import select
import sys
from collections import Counter
from contextlib import ExitStack

import pytest

from socketlab.harness import Client, Failed, lab_check, runs, somebody_listens

LONG = bytes(range(11, 256)) * 204  # 49,980 bytes without a newline
CROWD = 50  # clients at a time


def answers(lines, first=1):
    """What one client gets for its lines, if nobody else sends any meanwhile."""
    return b"".join(b"%d %b" % (number, line) for number, line in enumerate(lines, first))


def ask(client, *lines, first=1):
    """Lines are sent in one piece, and each is answered."""
    client.exchange(b"".join(lines), answers(lines, first))


def numbered(client, line):
    """The number in the next answer; the rest of it must be the line."""
    got = client.receive_until(b"\n")
    number, _, rest = got.partition(b" ")
    if not number.isdigit() or rest != line:
        happened = "The answer is not a number, a space and the line."
        raise client.program.failed(
            happened, got=got, wanted=b"17 " + line, signs=("wrong answer",)
        )
    return int(number)


def check_numbers(program, numbers):
    """The numbers 1, 2, 3, ... were given, each once, in whatever order."""
    wanted = f"1 to {len(numbers)}, each once"
    if twice := {n: count for n, count in Counter(numbers).items() if count > 1}:
        some = [f"{n} ({count} times)" for n, count in sorted(twice.items())]
        happened = f"Different lines got the same number, {len(twice)} times."
        signs = ("same number", *all_counted(numbers))
        raise program.failed(happened, got=first_of(some), wanted=wanted, signs=signs)
    if missing := sorted({*range(1, len(numbers) + 1)} - {*numbers}):
        happened = f"Numbers were left out: {first_of(missing)}."
        got = f"{min(numbers)} to {max(numbers)}"
        raise program.failed(happened, got=got, wanted=wanted, signs=("left out",))


def first_of(things, most=6):
    """The first of them for the report, and a sign that there are more."""
    more = [f"... ({len(things) - most} more)"] if len(things) > most else []
    return ", ".join([*map(str, things[:most]), *more])


def all_counted(numbers):
    """A sign if no update was lost: the greatest number is that of the lines."""
    return ("all counted",) if max(numbers) == len(numbers) else ()


def ask_once(server, first=1):
    """One more client comes and is served."""
    with Client(server) as client:
        ask(client, b"hello\n", first=first)


@lab_check(read="listen", gate=True)
def test_listens(server):
    """it starts, listens, and stays up

    main(), at the end of the file, makes the listener and calls serve_forever(), which goes
    round and round until Ctrl-C.
    """
    if not server.settle():
        raise server.failed("It listened, but then it ended before any client came.")


@lab_check(read="thread", gate=True)
def test_one_line(client):
    """one line is answered with its number, 1, and itself

    The answer to b"hello\\n" is b"1 hello\\n": the number as digits, a space, and the line with
    its newline, in one bytes object.
    """
    ask(client, b"hello\n")


@lab_check(read="framing")
def test_several_lines(client):
    """the next lines of the same client are numbers 2 and 3

    The conversation goes on until the stream ends: a loop around reading and answering. The
    first number is 1, and each call of count() gives the next one.
    """
    for number, line in enumerate((b"first\n", b"the second\n", b"3\n"), 1):
        ask(client, line, first=number)


@lab_check(read="thread", after="test_several_lines")
def test_numbers_go_on(server):
    """the numbers go on with the next client

    There is one counter for all clients. Make it once, in serve_forever(), and give it to every
    thread.
    """
    for number in (1, 2, 3):
        with Client(server) as client:
            ask(client, b"hello\n", first=number)
            client.close()


@lab_check(read="text")
def test_any_bytes(client):
    """a line may be empty, and may hold any bytes

    A line is bytes: do not decode it and do not strip it. b"\\n" alone is a line, and only
    b"\\n" ends one.
    """
    lines = (b"\n", b"  a line \r\n", b"\r\x0b\x0c\x1c\x85\n", bytes(range(11, 256)) + b"\n")
    for number, line in enumerate(lines, 1):
        ask(client, line, first=number)


@lab_check(read="framing")
def test_pieces(client):
    """a line that comes byte by byte is one line

    One recv() may bring a part of a line. Keep what came until its newline is there.
    """
    client.send_byte_by_byte(b"in pieces\n")
    client.expect(b"1 in pieces\n")
    ask(client, LONG + b"\n", first=2)


@lab_check(read="framing")
def test_glued(client):
    """lines that come together are each answered

    One recv() may bring several lines, and the beginning of one more. Answer each, and keep the
    rest for the next recv().
    """
    client.send_glued(b"one\n", b"two\n", b"\n", b"four\nand ha")
    client.expect(answers([b"one\n", b"two\n", b"\n", b"four\n"]))
    client.exchange(b"lf\n", b"5 and half\n")


@lab_check(read="end")
def test_half_close(server):
    """a client that is done sending gets all its answers, then the end of the stream

    At the end of the stream recv() and readline() return b"", each time they are called. There
    the conversation is over: close the connection, because the client waits for that.
    """
    with Client(server) as client:
        client.send(b"one\ntwo\n")
        client.finish()
        client.expect(b"1 one\n2 two\n")
        client.expect_end()


@lab_check(read="framing", after="test_half_close")
def test_unfinished(server):
    """what comes after the last newline is not answered and not counted

    Without its newline it is not a line. readline() returns it all the same, at the end of the
    stream: look whether a newline is there.
    """
    with Client(server) as client:
        client.send(b"one\nand a ha")
        client.finish()
        client.expect(b"1 one\n")
        client.expect_end()
    ask_once(server, first=2)


@lab_check(read="thread")
def test_silent_client(server):
    """a silent client keeps nobody waiting

    Each conversation needs a thread of its own, and accept() must go on at once. No lock may be
    held while a thread waits for its client.
    """
    with Client(server) as silent, Client(server) as half:
        half.send(b"half a li")
        ask_once(server)
        half.exchange(b"ne\n", b"2 half a line\n")
        silent.exchange(b"not silent\n", b"3 not silent\n")


@lab_check(read="lock", after="test_silent_client")
def test_slow_reader(server):
    """a client that never reads its answers keeps nobody waiting

    sendall() waits until there is room for the answer. That is right, but only this client's
    thread may wait: let go of the lock before.
    """
    with Client(server, small_buffers=True) as slow:
        slow.program.steps.add(f"{slow.name} sends long lines and reads no answer")
        slow.sock.setblocking(False)
        count = fill_with_lines(slow)
        with Client(server) as client:
            client.send(b"hello\n")
            if not 1 <= numbered(client, b"hello\n") <= count + 1:
                raise server.failed("The number is wrong.", wanted=f"at most {count + 1}")


def fill_with_lines(client, most=64_000_000):
    """Send lines until the program takes no more. How many newlines went out."""
    piece, sent = (b"x" * 9_999 + b"\n") * 10, 0
    while sent < most and select.select([], [client.sock], [], 0.2)[1]:
        at = sent % 10_000
        sent += client.sock.send(piece[at:])
    if sent >= most:
        happened = f"It took {most:,} bytes from a client that reads no answer."
        raise client.program.failed(happened, signs=("unbounded",))
    return sent // 10_000


@lab_check(read="leaving")
def test_reset(server):
    """clients that reset their connections harm nobody

    recv() or sendall() raises ConnectionResetError in the thread of that client: catch it there
    (it is a ConnectionError) and close. One may have left even before accept() returns.
    """
    with Client(server) as other, Client(server) as client:
        ask(client, b"hello\n")
        client.reset()
        with server.paused(), Client(server) as early:
            early.send(b"too early, ")
            early.reset()
        ask(other, b"still there?\n", first=2)
        ask_once(server, first=3)


@lab_check(read="thread", after="test_silent_client")
def test_crowd(server):
    """fifty clients are served at the same time, the last one first

    A pool with fewer threads lets the rest wait until somebody leaves.
    """
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(server)) for _ in range(CROWD)]
        for number, client in enumerate(reversed(clients), 1):
            ask(client, b"hello\n", first=number)


@lab_check(read="lock", after=("test_numbers_go_on", "test_silent_client"))
def test_no_lost_update(interleaved):
    """no number is given twice, however the threads change places

    Reading the number, adding one and writing it back are several steps, and so is += on one
    line. Another thread can come between any two of them, unless one lock, the same for all
    threads, is held around all of them, up to where the number is taken for the answer.
    """
    line, each = b"count me\n", 12
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(interleaved)) for _ in range(6)]
        with interleaved.paused():  # nobody is served before all have sent
            for client in clients:
                client.send(line * each)
        check_numbers(interleaved, [numbered(c, line) for _ in range(each) for c in clients])


@lab_check(read="leaving", after="test_reset")
@pytest.mark.skipif(sys.platform == "win32", reason="not counted on Windows")
def test_nothing_left(server):
    """after many clients no more threads and descriptors are there than before

    However a client leaves, its thread comes to its end and closes the connection. A list that
    still holds a socket keeps it open.
    """
    crowd_leaves(server)
    threads, descriptors = server.threads(), server.descriptors()
    for _ in range(3):
        crowd_leaves(server)
    server.steps.add("again and again; then threads and descriptors are counted")
    limit = server.patience.silence
    if not server.wait_until(lambda: server.descriptors() <= descriptors, limit):
        raise more_than_before(server, "descriptors", server.descriptors() - descriptors)
    if not server.wait_until(lambda: server.threads() <= threads, limit):
        raise more_than_before(server, "threads", server.threads() - threads)


def crowd_leaves(server):
    """Ten clients at a time say hello and leave in three ways."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(server)) for _ in range(10)]
        for client in clients:
            client.send(b"hello\n")
            numbered(client, b"hello\n")
        for number, client in enumerate(clients):
            client.send(b"half a line")
            [client.reset, client.close, client.reset][number % 3]()
    server.settle()


def more_than_before(server, what, more):
    """The failure for what has grown."""
    happened = f"After 30 more clients, all gone, there are {more} more {what}."
    return server.failed(happened, got=f"{more} more than before", wanted="0 more than before")


def ends(server):
    """Whether it ends. A program that uses no CPU time for two seconds waits for something."""
    slices, calm, cpu = 25, 0, server.cpu_seconds()
    length = server.patience.silence / slices
    for _ in range(slices):
        if server.wait_ended(length):
            return True
        before, cpu = cpu, server.cpu_seconds()
        calm = calm + 1 if cpu == before else 0
        if calm == 10:
            return False
    server.patience.silence_was_full()
    return False


@lab_check(read="stop")
@pytest.mark.skipif(sys.platform == "win32", reason="not tried on Windows")
def test_ctrl_c(server):
    """Ctrl-C ends it at once with exit code 0, although clients are connected

    Ctrl-C raises KeyboardInterrupt in the main thread. Catch it around the loop in
    serve_forever() and return. Threads that wait for their clients must not keep the program
    alive.
    """
    with Client(server) as silent, Client(server) as client:
        ask(client, b"hello\n")
        server.settle()
        family = server.family()
        server.steps.add(f"Ctrl-C is pressed; {silent.name} and {client.name} are connected")
        cpu = server.cpu_seconds()
        server.interrupt()
        if not ends(server):
            signs = () if server.listening() else ("left its loop",)
            happened = "The program still runs" + (", but it listens no more." if signs else ".")
            if not signs:  # where is it?
                server.look_inside(cpu, server.patience.silence)
            raise server.failed(happened, got="still running", wanted="ended", signs=signs)
    if left := [process for process in family if runs(process)]:
        raise server.failed(f"{len(left)} processes that it started still run.")
    if code := server.exit_code:
        got = f"exit code {code}" if code > 0 else "ended by KeyboardInterrupt"
        raise server.failed("It ended, but not as it should.", got=got, wanted="exit code 0")


@lab_check(read="restart", after="test_ctrl_c")
@pytest.mark.skipif(sys.platform == "win32", reason="not tried on Windows")
def test_restart(server, start):
    """after Ctrl-C it can be started again at once on the same port

    create_server() in main() takes care of that, as long as main() is as it was.
    """
    with Client(server) as client:
        ask(client, b"hello\n")
        server.interrupt()
        server.wait_ended(server.patience.silence)
        again = start(*server.address)
        again.steps.add("Ctrl-C is pressed while a client is connected")
        again.steps.add("your program is started again on the same port")
        try:
            again.wait_listening()
        except Failed:
            if somebody_listens(*server.address):
                pytest.skip("not tried, because another program took the port")
            raise
    ask_once(again)
