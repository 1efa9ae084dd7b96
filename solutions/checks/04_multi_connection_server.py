"""Hidden checks of lab 04."""

import select
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress

from socketlab.harness import Client, lab_check

LONG = bytes(range(251)) * (10_000 if sys.platform == "linux" else 96_000)


def echo(client, data):
    """What the client sends comes back."""
    client.exchange(data, data)


def slow_client(server, stack):
    """A client for which the kernel keeps little, and what it sent until the server owed it."""
    slow = stack.enter_context(Client(server, small_buffers=True))
    return slow, LONG[: slow.pour(LONG)]


@lab_check(read="ready", after="test_silent_client")
def test_cut_and_glued(server, rng):
    """bytes of several clients come back in order, however they were cut or glued

    Nothing about a message can be known before it is there: not its size, not its bytes.
    """
    with ExitStack() as stack:
        glued, cut, *others = (stack.enter_context(Client(server)) for _ in range(4))
        glued.send_glued(b"one", b"two", b"three")
        cut.send_byte_by_byte(b"byte by byte")
        for _ in range(20):
            echo(rng.choice(others), rng.randbytes(int(10 ** rng.uniform(0, 4.5))))
        cut.expect(b"byte by byte")
        glued.expect(b"onetwothree")


@lab_check(read="rest", after=("test_half_close", "test_slow_reader"))
def test_both_at_once(server):
    """a client that reads, and is done sending in the same moment, gets everything

    A connection may be ready to read and to write in one event: b"" can be received, and there
    is room to send what is owed. Both are to be done, and neither after close().
    """
    with ExitStack() as stack:
        other = stack.enter_context(Client(server))
        slow, data = slow_client(server, stack)
        with server.paused():
            slow.finish()
            server.steps.add(f"{slow.name} reads what the kernel has for it")
            early = in_the_kernel(slow.sock)
        if not data.startswith(early):
            raise server.failed("The wrong bytes came back.", signs=("wrong bytes",))
        slow.expect(data[len(early) :])
        slow.expect_end()
        echo(other, b"still there?")


def in_the_kernel(sock):
    """What can be received although the program at the other end stands still."""
    got = bytearray()
    with suppress(OSError):  # it broke: that shows when more is wanted
        while select.select([sock], [], [], 0.05)[0] and (piece := sock.recv(65536)):
            got += piece
    return bytes(got)


@lab_check(read="write", after=("test_idle", "test_bound"))
def test_idle_while_owing(server):
    """it sleeps while it waits for a client that does not read

    While you do not want to receive from a client, do not ask for READ: it is ready all the time.
    """
    with ExitStack() as stack:
        slow_client(server, stack)
        server.steps.add("the program is watched")
        cpu = server.cpu_seconds()
        seen = server.watch(0.1)
        if seen.busy or seen.polling:
            server.look_inside(cpu, 0)
            raise server.failed("The program is busy, although it can only wait.")


@lab_check(read="ready", after="test_slow_reader")
def test_greedy_client(server):
    """nobody has to wait for a client that sends and reads without a pause

    Serve each client that is ready once, then ask again who is ready. A loop that receives until
    there is nothing more may never end.
    """
    with Client(server) as greedy, Client(server) as other:
        with never_pausing(greedy):
            for _ in range(20):
                echo(other, b"am I next?")


@contextmanager
def never_pausing(client):
    """The client sends and reads meanwhile, as fast as it can."""
    client.program.steps.add(f"{client.name} sends and reads without a pause")
    over, chunk = threading.Event(), bytes(65536)

    def talk():
        with suppress(OSError):
            while not over.is_set():
                readable, writable, _ = select.select([client.sock], [client.sock], [], 0.05)
                if readable and not client.sock.recv(1 << 20):
                    break
                if writable:
                    client.sock.send(chunk)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@lab_check(read="breaking", after=("test_leaves", "test_reset"))
def test_bad_manners(server, rng):
    """clients that leave in every way, in any order, harm nobody else

    However a client leaves: unregister, close, and go on with the others.
    """
    with Client(server) as stays, ExitStack() as stack:
        for _ in range(15):
            clients = [stack.enter_context(Client(server)) for _ in range(3)]
            for client in rng.sample(clients, 3):
                if rng.random() < 0.5:
                    client.send(rng.randbytes(rng.randint(1, 5000)))
                rng.choice([client.close, client.reset, client.finish])()
            echo(stays, b"still there?")
