"""Public checks of lab 01, simplest first. A docstring is a check's title and its meaning."""

import sys

import pytest

from socketlab.harness import (
    HOST,
    Client,
    Failed,
    burn,
    can_listen,
    free_port,
    lab_check,
    runs,
    somebody_listens,
)

MEGABYTE = bytes(range(256)) * 4096 + b"and a bit"  # the last piece fills no buffer
IDLE = 0.05  # seconds of CPU time: far more than a blocked program uses, which is none


def echo(client, data):
    """What the client sends comes back."""
    client.exchange(data, data)


def serve_once(server, data=b"hello"):
    """A client comes, says one thing, and sees the connection closed."""
    with Client(server) as client:
        echo(client, data)
        client.finish()
        client.expect_end()


@lab_check(read="listen", gate=True)
def test_listens(start):
    """it starts, stays up and listens on the port it is told

    The host and the port are the two words after the file's name: use the parameters host and
    port in bind(), then listen(). serve_forever() must never return. main(), at the end of the
    file, calls both functions: leave it as it is.
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
    if port not in {number for _, number in seen}:
        got, wanted = f"port {seen[0][1]}", f"port {port}"
        raise program.failed("It listens, but on another port.", got=got, wanted=wanted)
    if not program.settle():
        raise program.failed("It listened, but then it ended before any client came.")


@lab_check(read="address")
def test_only_there(server):
    """it listens on the host it is told, and nowhere else

    "" and 0.0.0.0 mean every address of this machine: other machines could connect, too.
    """
    hosts = sorted({host for host, _ in server.listening()})
    if hosts != [HOST]:
        raise server.failed("It listens somewhere else.", got=", ".join(hosts), wanted=HOST)


@lab_check(read="echo")
def test_nothing_unasked(client):
    """it says nothing before the client does

    An echo server has no words of its own: the first bytes on the wire are the client's.
    """
    client.finish()
    if data := client.unasked(limit=1):
        happened = "Bytes came, although the client had sent none."
        raise client.program.failed(happened, got=data, wanted="nothing")


@lab_check(read="echo")
def test_one_message(client):
    """one message comes back

    recv() returns as soon as some bytes are there: send those back at once with sendall(), on
    the socket that accept() returned.
    """
    echo(client, b"hello")


@lab_check(read="end")
def test_several_messages(client):
    """several messages come back on one connection

    One connection carries many messages: recv() and sendall() belong in a loop that goes on
    until recv() returns b"". Each time, send back what this recv() returned, and only that.
    """
    for message in (b"first", b"the second", b"3"):
        echo(client, message)


@lab_check(read="echo")
def test_white_space(client):
    """spaces and line ends come back, too

    An echo changes nothing. Do not strip() what came, and do not wait for the end of a line.
    """
    for message in (b"  a line\n", b"\r\n", b" ", b"the last\t\n\n"):
        echo(client, message)


@lab_check(read="echo")
def test_every_byte(client):
    """all 256 byte values come back unchanged

    Sockets carry bytes, and not all bytes are text. Send back the bytes object that recv()
    returned; do not decode it.
    """
    echo(client, bytes(range(256)))


@lab_check(read="pieces")
def test_byte_by_byte(client):
    """a message that is sent byte by byte comes back byte by byte

    recv(1024) means: at most 1024. Do not collect bytes until there are enough of them.
    """
    for byte in b"one at a time":
        echo(client, bytes([byte]))


@lab_check(read="clients")
def test_next_client(server):
    """the next client is served after one has left

    When a client has left, recv() returns b"", at once, as often as you call it. Leave the
    inner loop then, and call accept() again, in a loop around it.
    """
    for data in (b"I am the first", b"I am the second"):
        with Client(server) as client:
            echo(client, data)
            client.close()


@lab_check(read="end")
def test_half_close(server):
    """a client that is done sending gets everything back, then the end of the stream

    recv() returns b"" when the client will send no more. Then close the connection (a with
    block does it): the client waits for that.
    """
    with Client(server) as client:
        client.send(b"my last words")
        client.finish()
        client.expect(b"my last words")
        client.expect_end()


@lab_check(read="pieces")
def test_one_megabyte(client):
    """a message of one megabyte comes back

    It arrives in many pieces, nobody knows how many. Send each piece back before you ask for
    the next one, and go on until recv() returns b"".
    """
    echo(client, MEGABYTE)
    echo(client, b"and no more")


@lab_check(read="end")
def test_leaves_at_once(server):
    """a client that leaves without a word does no harm

    Then the very first recv() returns b"": there is no first byte to look at.
    """
    with Client(server) as client:
        client.close()
    serve_once(server)


@lab_check(read="leaving")
def test_reset(server):
    """a client that resets its connection does no harm

    Then recv() or sendall() raises ConnectionResetError. Catch it (it is a ConnectionError),
    close that connection and accept the next client.
    """
    with Client(server) as client:
        echo(client, b"hello")
        client.reset()
    serve_once(server)


@lab_check(read="clients")
def test_many_clients(server):
    """fifty clients are served, one after another

    The loop around accept() has no end: while True.
    """
    for number in range(50):
        serve_once(server, b"I am client %d" % number)


@lab_check(read="leaving")
@pytest.mark.skipif(sys.platform == "win32", reason="not counted on Windows")
def test_descriptors(server):
    """after many clients no more descriptors are open than before

    Each accept() opens a descriptor, and only close() gives it back. Close each connection,
    also when an error ends it. shutdown() is not enough.
    """
    serve_once(server)
    server.settle()
    before = server.descriptors()
    for _ in range(20):
        serve_once(server)
    server.steps.add("the descriptors that the program has open are counted")
    if not server.wait_until(lambda: server.descriptors() <= before, server.patience.silence):
        more = server.descriptors() - before
        happened = f"After 20 more clients, {more} more descriptors are open."
        raise server.failed(happened, got=f"{more} more than before", wanted="0 more than before")


@lab_check(read="waiting")
def test_idle(server):
    """it uses no CPU time while nobody talks

    A blocking accept() or recv() sleeps in the kernel until something happens. A loop that asks
    again and again keeps a processor busy.
    """
    for talker in ("nobody is connected", "a silent client is connected"):
        server.settle()
        before = server.cpu_seconds()
        burn(0.15)
        server.steps.add(f"{talker}: the CPU time of the program is watched")
        if server.cpu_seconds() - before > IDLE:
            server.look_inside(before, 0)
            raise server.failed("The program is busy, although there is nothing to do.")
        if talker.startswith("nobody"):
            client = Client(server)
            echo(client, b"hello")
    client.close()


@lab_check(read="restart")
def test_restart(server, start):
    """it can be started again at once on the same port

    When the server closes first, its port remembers the connection for a while (TIME_WAIT).
    Set SO_REUSEADDR on the listener, before bind().
    """
    with Client(server) as client:
        echo(client, b"hello")
        server.kill()
        client.unasked(limit=1)  # whatever it is: an end or, on Windows, a reset
    again = start(*server.address)
    again.steps.add("a client talks to your program; your program is ended, the client leaves")
    again.steps.add("your program is started again on the same port")
    try:
        again.wait_listening()
    except Failed:
        if somebody_listens(*server.address):
            pytest.skip("not tried, because another program took the port")
        raise
    serve_once(again)


@lab_check()
@pytest.mark.skipif(sys.platform == "win32", reason="not tried on Windows")
def test_ctrl_c(server):
    """Ctrl-C ends it, and nothing of it is left

    Ctrl-C raises KeyboardInterrupt. A bare except catches that, too: name the errors you mean.
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
