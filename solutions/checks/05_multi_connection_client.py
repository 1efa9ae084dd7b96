"""Hidden checks of lab 05."""

import re
import sys

import pytest

from socketlab.harness import HOST, Listener, ended, lab_check
from socketlab.peers import random_cuts

LONG = 60  # seconds: a time-out that no right program ever sees


def hear(conns, lines=1):
    """The servers' ends by the number of their connection, when each has got its whole message."""
    heard = {}
    for conn in conns:
        number = int(re.sub(rb"\D", b"", conn.receive_until(b"\n")) or 0)
        if lines > 1:
            conn.expect(b"I am connection %d\n" % number * (lines - 1))
        conn.expect_end()
        heard[number] = conn
    return heard


def expect_replies(program, *replies):
    """The program ends with exit code 0, and has printed these replies, in order."""
    code = ended(program)
    got = re.findall(r"^connection \d+: .*$", program.stdout.replace("\r", ""), re.MULTILINE)
    wanted = [f"connection {n}: {len(r)} bytes {r[:40]}" for n, r in enumerate(replies, 1)]
    for mine, theirs in zip(wanted, [*got, *["no more lines"] * len(wanted)], strict=False):
        if mine != theirs:
            raise program.failed("It printed something else.", got=theirs, wanted=mine)
    if code or len(got) > len(wanted):
        raise program.failed("It ended, but not well.", got=f"exit code {code}, {len(got)} lines")


@lab_check(read="pieces")
def test_random_replies(start, rng):
    """random replies come through random cuts

    Nothing about a reply can be known before it is there: not its size, not its bytes.
    """
    replies = [rng.randbytes(rng.choice((1, 30, 41, 5000))) for _ in range(6)]
    with Listener() as listener:
        program = start(HOST, LONG, 3, *[listener.port] * 6)
        conns = hear(listener.accept_all(program, 6), lines=3)
        for number in rng.sample(range(1, 7), 6):
            conns[number].send_in_pieces(*random_cuts(replies[number - 1], rng, 3))
            conns[number].close()
        expect_replies(program, *replies)


@lab_check(read="at_once")
def test_a_hundred(start):
    """a hundred conversations at once, the last one answered first

    A thousand would do as well: one loop, and one entry in the selector for each.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, *[listener.port] * 100)
        conns = hear(listener.accept_all(program, 100))
        for number in sorted(conns, reverse=True):
            conns[number].send(b"reply %d" % number)
            conns[number].close()
        expect_replies(program, *(b"reply %d" % number for number in range(1, 101)))


@lab_check(read="loop")
@pytest.mark.skipif(sys.platform == "win32", reason="not counted on Windows")
def test_closes(start):
    """a conversation that is over is closed while others go on

    Each socket is a descriptor. unregister() gives none back, close() does.
    """
    with Listener() as listener:
        program = start(HOST, LONG, 1, *[listener.port] * 10)
        conns = hear(listener.accept_all(program, 10))
        before = program.descriptors()
        for number in range(1, 10):
            conns[number].close()
        program.steps.add("9 of 10 servers have ended; the open descriptors are counted")
        left = program.patience.silence
        if not program.wait_until(lambda: program.descriptors() <= before - 9, left):
            more = program.descriptors() - (before - 9)
            happened = f"{more} conversations that are over are still open."
            raise program.failed(happened, signs=("still open",))
