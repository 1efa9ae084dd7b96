"""The text equivalents: right, and the same whoever is faster.

Each scenario runs 10 times; SOCKETLAB_REPEATS=200 for more.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import scenarios as on

REPEATS = int(os.environ.get("SOCKETLAB_REPEATS", "10"))

ECHO = """
client                  server
connect()          ..>  accept()
sendall(b'hello')  -->  recv() = b'hello'
recv() = b'hello'  <--  {send}(b'hello')
sendall(b'bye')    -->  recv() = b'bye'
recv() = b'bye'    <--  {send}(b'bye')
close()            ..>  recv() = b''
                        close()
"""
LANES = """
   client sent  came back  accepted
A  {n} bytes      {n} bytes    first
B  {n} bytes      {n} bytes    {b}
C  {n} bytes      {n} bytes    {c}
{servers} open at a time.
"""
THREADS = "4 server threads, each with at most 1 connection"
hello_bye = partial(on.one_client, messages=(b"hello", b"bye"))
beside = partial(LANES.format, n=3, b="beside A", c="beside A and B")
in_turn = partial(LANES.format, n=3, b="after A was closed", c="after B was closed")


def one_thread(name: str, most: int) -> str:
    return f"One server thread, {name}: at most {most} connection{'s' * (most > 1)}"


GOLDEN: dict[str, tuple[Any, str]] = {
    "echo": (partial(hello_bye, on.serve_forever), ECHO.format(send="sendall")),
    "echo, threads": (partial(hello_bye, on.serve_threads), ECHO.format(send="sendall")),
    "echo, selectors": (partial(hello_bye, on.serve_selectors), ECHO.format(send="sendall")),
    "echo, busy loop": (partial(hello_bye, on.serve_busy), ECHO.format(send="sendall")),
    "echo, asyncio": (partial(hello_bye, on.serve_async), ECHO.format(send="send")),
    "three at a blocking server": (
        partial(on.three_at_once, on.serve_forever),
        in_turn(servers=one_thread("serve_forever", 1)),
    ),
    "three at threads": (partial(on.three_held, on.serve_threads), beside(servers=THREADS)),
    "three threads at threads": (
        partial(on.three_threads, on.serve_threads),
        beside(servers=THREADS),
    ),
    "three at a pool of two threads": (
        on.three_at_two,
        beside(servers=THREADS.replace("4", "3")),
    ),
    "three in turn at threads": (
        partial(on.three_in_turn, on.serve_threads),
        in_turn(servers=THREADS),
    ),
    "three at selectors": (
        partial(on.three_at_once, on.serve_selectors),
        beside(servers=one_thread("serve_selectors", 3)),
    ),
    "three threads at selectors": (
        partial(on.three_threads, on.serve_selectors),
        beside(servers=one_thread("serve_selectors", 3)),
    ),
    "three in turn at selectors": (
        partial(on.three_in_turn, on.serve_selectors),
        in_turn(servers=one_thread("serve_selectors", 1)),
    ),
    "three at asyncio": (
        partial(on.three_held, on.serve_async),
        beside(servers=one_thread("serve_async", 3)),
    ),
    "three in turn at asyncio": (
        partial(on.three_in_turn, on.serve_async),
        in_turn(servers=one_thread("serve_async", 1)),
    ),
    "split": (
        on.split,
        """
client                    server
connect()            ..>  accept()
sendall(b'hello')    -->  recv() = b'he'
                     -->  recv() = b'll'
                     -->  recv() = b'o'
recv() = b'he-ll-o'  <--  sendall(b'he-ll-o')
close()
                          close()
""",
    ),
    "coalesced": (
        on.coalesced,
        """
client                 server
connect()         ..>  accept()
sendall(b'abc')   -->  recv() = b'abcdef'
sendall(b'def')   -->  same recv(), b'def'
recv() = b'abcd'  <--  sendall(b'abcdef')
recv() = b'ef'    <--
close()
                       close()
""",
    ),
    "one thread plays both parts": (
        on.both_parts,
        """
client                  server
connect()          ..>  accept()
sendall(b'one')    -->  recv() = b'onetw'
sendall(b'two')    -->  same recv(), b'tw'
                   -->  recv() = b'o'
recv() = b'three'  <--  sendall(b'three')
                        close()
close()
""",
    ),
    "bulk": (
        on.bulk,
        """
Too much to list call by call; in sum:
client sent 1,000,000 bytes, server received 1,000,000 bytes
server sent 7 bytes, client received 7 bytes
""",
    ),
    "half-close": (
        on.half_close,
        """
client                     server
connect()             ..>  accept()
sendall(b'one, two')  -->  recv() = b'one, two'
shutdown()            ..>  recv() = b''
recv() = b'8'         <--  sendall(b'8')
recv() = b''          <..  close()
close()
""",
    ),
    "refused": (
        on.refused,
        """
client                        server
connect()  ECONNREFUSED  .x
close()
""",
    ),
    "reset": (
        on.reset,
        """
client                  server
connect()          ..>  accept()
sendall(b'hello')  -->  recv() = b'hello'
recv() = b'hello'  <--  sendall(b'hello')
close()            ..>  recv()  ECONNRESET
                        close()
""",
    ),
    "unread input": (
        on.unread_input,
        """
client                   server
connect()           ..>  accept()
sendall(b'abcdef')  -->  recv() = b'abc'
                    -x
recv()  ECONNRESET  <..  close()
close()
""",
    ),
    "never accepted": (
        on.never_accepted,
        """
client                     server
connect()             .x
sendall(b'anybody?')  -x
close()
""",
    ),
    "server speaks first": (
        on.server_first,
        """
client                    server
connect()            ..>  accept()
recv() = b'welcome'  <--  sendall(b'welcome')
sendall(b'thanks')   -->  recv() = b'thanks'
close()
                          close()
""",
    ),
    "two threads on one socket": (
        on.two_way,
        """
client                server
connect()        ..>  accept()
sendall(b'one')  -->  recv() = b'one'
recv() = b'one'  <--  sendall(b'one')
sendall(b'two')  -->  recv() = b'two'
recv() = b'two'  <--  sendall(b'two')
shutdown()       ..>  recv() = b''
recv() = b''     <..  close()
close()
""",
    ),
    "UDP": (
        on.udp,
        """
client                      server
sendto(b'hello')       -->  recvfrom() = b'hello'
recvfrom() = b'hello'  <--  sendto(b'hello')
sendto(b'')            -->  recvfrom() = b''
recvfrom() = b''       <--  sendto(b'')
close()
""",
    ),
    "two UDP clients": (
        on.two_udp,
        """
   client sent  came back  accepted
A  5 bytes      5 bytes    -
B  5 bytes      5 bytes    -
One server thread, serve_udp.
""",
    ),
    "asyncio on both sides": (
        on.asyncio_both,
        """
client                       server
connect()  EINPROGRESS  ..>  accept()
send(b'hello')          -->  recv() = b'hello'
recv() = b'hello'       <--  send(b'hello')
shutdown()              ..>  recv() = b''
recv() = b''            <..  close()
close()
""",
    ),
    "socketserver": (
        on.socketserver_lines,
        r"""
client                  server
connect()          ..>  accept()
sendall(b'hey\n')  -->  recv_into() = b'hey\n'
recv() = b'hey\n'  <--  sendall(b'hey\n')
close()            ..>  recv_into() = b''
                        shutdown()
                        close()
""",
    ),
    "socketpair": (
        on.pair,
        """
client                 server
sendall(b'ping')  -->  recv() = b'ping'
recv() = b'pong'  <--  sendall(b'pong')
                       close()
close()
""",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def nothing_else() -> Iterator[None]:
    """Each recording looks for sockets among all objects there are: hide pytest's."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", GOLDEN)
def test_words_are_right_in_every_run(name: str) -> None:
    run, text = GOLDEN[name]
    assert Counter(repr(run()) for _ in range(REPEATS)) == {text.strip("\n"): REPEATS}
