"""Public checks of lab 04, simplest first. A docstring is a check's title and its meaning."""

import sys
from contextlib import ExitStack

import pytest

from socketlab.harness import (
    HOST,
    Client,
    Failed,
    can_listen,
    free_port,
    lab_check,
    runs,
    somebody_listens,
)

EVERY_BYTE = bytes(range(256))
MEGABYTE = EVERY_BYTE * 4096
LONG = bytes(range(251)) * (10_000 if sys.platform == "linux" else 96_000)
ALL = len(LONG)  # bytes: 1 MiB, and more than the kernel's buffers hold
MUCH = 1_000_000 if sys.platform == "linux" else ALL  # more than the kernel's buffers hold
LITTLE = 150_000  # bytes: on Linux, twice what the kernel's buffers hold
STEP = 32768


def echo(client, data):
    """What the client sends comes back."""
    client.exchange(data, data)


def connect(server, stack, number):
    """So many clients, all connected; they leave when the stack is closed."""
    return [stack.enter_context(Client(server)) for _ in range(number)]


def slow_client(server, stack, most=MUCH):
    """A client for which the kernel keeps little, and what it sent until the server owed it
    a lot, or until it was `most` bytes."""
    slow = stack.enter_context(Client(server, small_buffers=True))
    return slow, LONG[: slow.pour(LONG[:most])]


def read_slowly(client, data):
    """Receive `data`, at first bit by bit: after each bit the program does what it can."""
    client.program.steps.add(f"{client.name} begins to read, a little at a time")
    for _ in range(5):
        client.program.settle(0.2)
        bit, data = data[:STEP], data[STEP:]
        client.expect(bit)
    client.expect(data)


@lab_check(read="listen", gate=True)
def test_listens(start):
    """it starts, stays up and listens where it is told

    The host and the port are the two words after the file's name. serve_forever() must never
    return; main(), at the end of the file, calls your functions: leave it as it is.
    """
    port = free_port(HOST)
    program = start(HOST, port)
    program.steps.add(f"your program is started and told: {HOST} and a free port")
    try:
        seen = program.wait_listening()
    except Failed as failure:
        if program.port_was_taken and can_listen(HOST, port):
            failure.wanted = f"port {port}, which is free: your program asks for another one"
        raise
    if seen != [(HOST, port)]:
        got = ", ".join(f"{host}, port {number}" for host, number in seen)
        wanted = f"{HOST}, port {port}"
        raise program.failed("It listens somewhere else.", got=got, wanted=wanted)
    if not program.settle():
        raise program.failed("It listened, but then it ended before any client came.")


@lab_check(read="accepting")
def test_one_client(client):
    """the messages of one client come back

    select() says that the listener is ready: accept, setblocking(False), register. Then it says
    that the connection is ready: receive, and send back what came, as it came.
    """
    for message in (b"hello", b"two lines\r\n\n", EVERY_BYTE):
        echo(client, message)


@lab_check(read="ready", after="test_one_client")
def test_silent_client(server):
    """nobody has to wait for a client that is silent

    After each answer go back to select(), which waits for everybody at once. A loop around
    recv() waits for one client only.
    """
    with Client(server) as silent, Client(server) as other:
        echo(other, b"am I next?")
        echo(silent, b"now I speak, too")
        echo(other, b"and I again")


@lab_check(read="ready", after="test_silent_client")
def test_many_clients(server):
    """fifty clients are connected at once and speak in any order

    Each connection has its own place in the selector. Accept whenever the listener is ready.
    """
    with ExitStack() as stack:
        clients = connect(server, stack, 50)
        for client in reversed(clients):
            echo(client, b"I am " + client.name.encode())


@lab_check(read="threads_compared", after="test_silent_client")
@pytest.mark.skipif(sys.platform == "win32", reason="not counted on Windows")
def test_one_thread(server):
    """one thread serves them all

    The thread that calls select() serves everybody. Start no threads and no other processes.
    """
    with ExitStack() as stack:
        for client in connect(server, stack, 5):
            echo(client, b"hello")
        server.steps.add("the threads of the program and its children are counted")
        if not server.wait_until(lambda: server.threads() <= 1, 0.2):
            happened = f"Five clients are connected, and {server.threads()} threads serve them."
            raise server.failed(happened, got=f"{server.threads()} threads", wanted="1 thread")


@lab_check(read="write", after="test_one_client")
def test_idle(server):
    """it sleeps while nobody speaks: with no client, with one, with several

    select() without a time-out sleeps until something happens. A connection is ready to write
    nearly always: ask for WRITE only while you owe it something.
    """
    with ExitStack() as stack:
        for count in (0, 1, 3):
            for client in connect(server, stack, count):
                echo(client, b"hello")
            stays_asleep(server, f"{client.name} is silent" if count else "nobody is connected")


def stays_asleep(server, when):
    """The program uses no CPU time, and does not wake up again and again."""
    server.steps.add(f"{when}: the program is watched")
    cpu = server.cpu_seconds()
    seen = server.watch(0.1)
    if seen.busy:
        server.look_inside(cpu, 0)
        raise server.failed(f"The program is busy, although there is nothing to do: {when}.")
    if seen.polling:
        often = f"{seen.wake_ups} times in {seen.seconds:.2f} seconds"
        happened = f"The program wakes up, although there is nothing to do: {when}."
        raise server.failed(happened, got=often, wanted="no more than once or twice a second")


@lab_check(read="ready", after="test_one_client")
def test_leaves(server):
    """a client that leaves is let go, and a new one takes its place

    recv() returns b"" when a client sends no more. Then unregister the connection, close it, and
    do nothing more with it. The client waits for the end of the stream.
    """
    with Client(server) as stays:
        for _ in range(3):
            with Client(server) as client:
                client.close()
            with Client(server) as client:
                echo(client, b"my last words")
                client.finish()
                client.expect_end()
        echo(stays, b"I am still here")


@lab_check(read="breaking", after="test_silent_client")
def test_reset(server):
    """a client that resets its connection harms nobody else

    Then recv() or send() raises ConnectionResetError. Catch it inside the loop, for this client
    only: unregister, close, and go on with the others.
    """
    with Client(server) as stays:
        echo(stays, b"hello")
        for _ in range(3):
            with Client(server) as client:
                echo(client, b"I break off")
                client.reset()
            server.settle()
            echo(stays, b"still there?")
    with Client(server) as client:
        echo(client, b"I am new")


@lab_check(read="rest", after="test_one_client")
def test_reads_late(server):
    """a client that sends first and reads late gets everything

    When the buffers are full, send() takes a part, and returns how much, or raises
    BlockingIOError. Keep what is left for this client, and ask for WRITE until it is sent.
    Then ask for READ again.
    """
    with ExitStack() as stack:
        slow, data = slow_client(server, stack)
        slow.expect(data)
        echo(slow, b"and one word more")


@lab_check(read="rest", after="test_reads_late")
def test_one_megabyte(server):
    """a megabyte comes back to a client that reads while it sends

    It arrives in many pieces, nobody knows how many, and goes out in as many as there is room
    for. What is owed goes out before anything newer.
    """
    with ExitStack() as stack:
        slow, data = slow_client(server, stack, LITTLE)
        slow.exchange(MEGABYTE, data + MEGABYTE)


@lab_check(read="breaking", after=("test_silent_client", "test_reads_late"))
def test_slow_reader(server):
    """nobody has to wait for a client that does not read, or gets its bytes

    Each accepted socket needs a setblocking(False) of its own, else send() waits for the slow
    client. What is owed belongs to one connection: keep it in its key.data.
    """
    with ExitStack() as stack:
        slow, data = slow_client(server, stack)
        for other in connect(server, stack, 3):
            echo(other, b"I do not wait, I am " + other.name.encode())
        slow.expect(data)


@lab_check(read="rest", after="test_reads_late")
def test_half_close(server):
    """a client that is done sending gets all that it is owed, then the end of the stream

    b"" says that the client will send no more. It may still read: send all that you owe, and
    only then unregister and close.
    """
    with ExitStack() as stack:
        slow, data = slow_client(server, stack)
        slow.finish()
        read_slowly(slow, data)
        slow.expect_end()


@lab_check(read="breaking", after=("test_reset", "test_slow_reader"))
def test_reset_while_owing(server):
    """a client that breaks off while it is owed bytes harms nobody else, and is let go

    Then a connection may be ready to read and to write in one event, and both calls fail. When
    you have hung up in one branch, do not go on to the next one.
    """
    with ExitStack() as stack:
        [stays] = connect(server, stack, 1)
        echo(stays, b"hello")
        before = server.descriptors()
        for most in (LITTLE, MUCH):
            slow, _ = slow_client(server, stack, most)
            slow.reset()
            server.settle()
            echo(stays, b"still there?")
        no_more_descriptors(server, before, "2 clients that were owed bytes")


@lab_check(read="bound", after="test_reads_late")
def test_bound(server):
    """for a client that never reads, it keeps no more than 1 MiB

    A client that sends and never reads must not fill your memory. While you owe it a lot, do not
    receive from it: watch it for WRITE only, until it has read.
    """
    with ExitStack() as stack:
        _, data = slow_client(server, stack, ALL)
        if len(data) == ALL:
            happened = f"It received {ALL:,} bytes from a client that reads nothing."
            wanted = "1,048,576 bytes at most, and what the kernel's buffers hold"
            got = f"{ALL:,} bytes, and no end"
            raise server.failed(happened, got=got, wanted=wanted, signs=("unbounded",))


@lab_check(read="breaking", after=("test_leaves", "test_reset"))
@pytest.mark.skipif(sys.platform == "win32", reason="not counted on Windows")
def test_descriptors(server):
    """after two hundred clients that left abruptly no descriptor stays open

    Each accept() opens a descriptor, and only close() gives it back. unregister() does not: close
    the connection as well, whatever ended it.
    """
    with Client(server) as stays:
        echo(stays, b"hello")
        server.settle()
        before = server.descriptors()
        for number in range(100):
            for leave in (Client.reset, Client.close):
                with Client(server) as client:
                    if number % 4:
                        client.send(b"no time for the answer")
                    leave(client)
            echo(stays, b"%d" % number)
        no_more_descriptors(server, before, "200 more clients")


def no_more_descriptors(server, before, clients):
    """The program has no more descriptors open than before these clients came (not on Windows)."""
    server.steps.add("the descriptors that the program has open are counted")
    if not server.wait_until(lambda: server.descriptors() <= before, server.patience.silence):
        more = server.descriptors() - before
        happened = f"After {clients}, more descriptors are open than before."
        raise server.failed(happened, got=f"{more} more", wanted="0 more")


@lab_check(read="restart", after="test_one_client")
@pytest.mark.skipif(sys.platform == "win32", reason="not tried on Windows")
def test_ctrl_c(server, start):
    """Ctrl-C ends it, and it can be started again at once on the same port

    Ctrl-C raises KeyboardInterrupt: a bare except catches that, too. The port of a server that
    closed first is remembered for a while: set SO_REUSEADDR before bind().
    """
    with Client(server) as client:
        echo(client, b"hello")
        family = server.family()
        server.steps.add("Ctrl-C is pressed")
        server.interrupt()
        if not server.wait_ended(server.patience.silence):
            server.patience.silence_was_full()
            raise server.failed("The program still runs.", got="still running", wanted="ended")
        if left := [process for process in family if runs(process)]:
            raise server.failed(f"{len(left)} processes that it started still run.")
        client.unasked(limit=1)
    again = start(*server.address)
    again.steps.add("your program is ended with Ctrl-C, and started again on the same port")
    try:
        again.wait_listening()
    except Failed:
        if somebody_listens(*server.address):
            pytest.skip("not tried, because another program took the port")
        raise
