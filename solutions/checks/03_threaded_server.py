"""Hidden checks of lab 03."""

from contextlib import ExitStack

from socketlab.harness import Client, lab_check
from socketlab.peers import random_cuts


@lab_check(read="framing")
def test_random_pieces(client, rng):
    """random lines in random pieces are answered

    Nothing about a line can be known before its newline is there, and nothing about a recv().
    """
    lines = [rng.randbytes(rng.randint(0, 300)).replace(b"\n", b"") + b"\n" for _ in range(30)]
    client.send_in_pieces(*random_cuts(b"".join(lines), rng, 40))
    client.expect(b"".join(b"%d %b" % pair for pair in enumerate(lines, 1)))


@lab_check(read="leaving")
def test_bad_manners(server, rng):
    """clients that leave in every way, in any order, do no harm

    However a client leaves, its thread ends, and the numbers go on.
    """
    for number in range(1, 16):
        with Client(server) as client:
            client.exchange(b"hello\n", b"%d hello\n" % number)
            if rng.random() < 0.5:
                client.send(rng.randbytes(rng.randint(1, 500)).replace(b"\n", b""))
            rng.choice([client.close, client.reset, client.finish])()


@lab_check(read="lock", after="test_no_lost_update")
def test_newcomers(interleaved):
    """clients that come while others are served get numbers of their own

    A client that has just come counts with the same counter and the same lock as all others.
    """
    numbers = []
    with ExitStack() as stack:
        for _ in range(10):
            client = stack.enter_context(Client(interleaved))
            client.send(b"a\nb\nc\n")
            numbers.append(client)
        got = [int(client.receive_until(b"\n").split()[0]) for client in numbers for _ in "abc"]
    if sorted(got) != [*range(1, 31)]:
        twice = ", ".join(map(str, sorted({n for n in got if got.count(n) > 1})))
        signs = ("same number", *(["all counted"] if max(got) == 30 else []))
        raise interleaved.failed(
            "Not every line got a number of its own.",
            got=f"twice: {twice or 'none'}",
            wanted="1 to 30, each once",
            signs=signs,
        )
