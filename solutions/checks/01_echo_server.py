"""Hidden checks of lab 01."""

import pytest

from socketlab.harness import Client, can_listen, free_port, lab_check

OTHER_HOST = "127.0.0.2"


@lab_check(read="address")
def test_other_host(start):
    """it listens on another host when it is told so

    The host is a parameter, just like the port: bind((host, port)).
    """
    if not can_listen(OTHER_HOST, 0):
        pytest.skip(f"not tried, because this machine has no address {OTHER_HOST}")
    program = start(OTHER_HOST, free_port(OTHER_HOST))
    program.steps.add(f"your program is started and told: {OTHER_HOST}")
    hosts = ", ".join(sorted({host for host, _ in program.wait_listening()}))
    if hosts != OTHER_HOST:
        raise program.failed("It listens somewhere else.", got=hosts, wanted=OTHER_HOST)


@lab_check(read="pieces")
def test_random_sizes(client, rng):
    """messages of random bytes and sizes come back

    Nothing about a message can be known before it is there: not its size, not its bytes.
    """
    for _ in range(20):
        data = rng.randbytes(int(10 ** rng.uniform(0, 4.5)))
        client.exchange(data, data)


@lab_check(read="leaving")
def test_bad_manners(server, rng):
    """clients that leave in every way, in any order, do no harm

    However a client leaves, close its connection and accept the next one.
    """
    for _ in range(15):
        with Client(server) as client:
            if rng.random() < 0.5:
                client.send(rng.randbytes(rng.randint(1, 5000)))
            rng.choice([client.close, client.reset, client.finish])()
        with Client(server) as client:
            client.exchange(b"still there?", b"still there?")
