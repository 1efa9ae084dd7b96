"""Lab 05: a client that has many conversations at the same time, in one thread.

Goal
    A connection to each port that is given, all of them at once. On each, the client sends its
    message, says that it is done (a half-close), and reads until the server ends the stream:
    what came is the reply. Whatever one server does, the other conversations go on.

Write seven small functions (each hole is marked TODO)
    converse            begins all talks, then a loop until all are over or the time is up
    begin               socket, setblocking, connect_ex, register
    take_turn           what one socket is ready for: one of the next three, or the end
    finish_connecting   SO_ERROR, then ask for more than WRITE
    send_more           send, and shutdown behind the last part
    read_more           recv
    hang_up             unregister, close
    Talk and main() are there. main() prints a line for each connection, in the order of the
    ports, and ends with exit code 0 if all have a reply, else with 1.

Run it
    In one terminal: python scripts/multiconn-server.py 127.0.0.1 65432
    In another: python labs/05_multi_connection_client.py 127.0.0.1 10 1 65432 65432 65433
    HOST, TIMEOUT in seconds, how many LINES each message has, and the PORTS. It should print
        connection 1: 18 bytes b'I am connection 1\\n'
        connection 2: 18 bytes b'I am connection 2\\n'
        connection 3: ConnectionRefusedError

Check it
    In a notebook: from socketlab import check; check("05")
    In a terminal: socketlab check 5
    The checks are the servers. They let all connections come before they serve any, serve them
    in any order, reply byte by byte, all at once, or not at all; refuse, reset, stay silent, keep
    a connection waiting. They look at the lines "connection N: ..." that you print (others do
    not matter), at the exit code, and at threads, CPU time and open descriptors. Three more
    checks are hidden; they want nothing that is not written here.

What is wanted
    One thread, which sleeps in select() while nobody is ready: no busy loop.
    A reply has any length, also 0, and any bytes; only the end of the stream ends it. It may
    come while a message of megabytes is still being sent: read while you send.
    A conversation that fails has the name of its error, such as ConnectionRefusedError or
    ConnectionResetError, and no reply.
    TIMEOUT is for all conversations together: whoever is not done so many seconds after the
    start has the error TimeoutError. Talks that were over before keep their reply; an unfinished
    one has no reply.
    A conversation that is over is closed at once, not when all are over.

Good to know
    talk is where all functions keep what they know; it goes with its socket as key.data.
    talk.error is a name: type(error).__name__. OSError(code, "") with the code that connect_ex()
    or SO_ERROR gave is already an error of the right type.
    recv() would raise what SO_ERROR says, too; ask first, so that you never count the talk as
    connected.
    Unregister first, then close. A message may be empty: then send only the end of the stream.
    asyncio in one thread is right, too. Only main(), and what it prints, has to stay.

Not asked for
    Host names, IPv6, a server that ends its stream before it has read the whole message.

Read first: notebooks 08 and 10.
"""

import sys
from dataclasses import dataclass


@dataclass
class Talk:
    """One conversation: with whom, what is sent, how far it is, and what came of it."""

    address: tuple
    message: bytes
    connected: bool = False
    sent: int = 0
    reply: bytes = b""
    error: str = ""  # the name of the error that ended it


def converse(talks, timeout):
    """Have all talks at once, at most timeout seconds: then each has its reply or its error."""
    raise NotImplementedError("TODO: begin all talks, go on with those that are ready")


def begin(selector, talk):
    """Begin to connect, without waiting; OSError if that fails at once."""
    raise NotImplementedError("TODO: begin to connect, and register the socket")


def take_turn(selector, sock, talk, events):
    """Do what sock is ready for; hang up if the talk is over, well or not."""
    raise NotImplementedError("TODO: call the function that is due, and catch what it raises")


def finish_connecting(selector, sock, talk):
    """The talk may begin; OSError if the connection failed: writable is not connected."""
    raise NotImplementedError("TODO: look whether it is connected, and ask for what comes next")


def send_more(selector, sock, talk):
    """Send a part of what is left; behind the last part, the end of the stream."""
    raise NotImplementedError("TODO: send a part, and remember how much was taken")


def read_more(sock, talk):
    """Read what is there; True at the end of the stream."""
    raise NotImplementedError("TODO: read, and keep it")


def hang_up(selector, sock):
    """Forget sock and close it."""
    raise NotImplementedError("TODO: leave the selector, then close")


def main():
    """Talk to each port given on the command line, and tell what came of it."""
    if len(sys.argv) < 5:
        usage = "HOST TIMEOUT LINES PORT [PORT ...]"
        sys.exit(f"usage: python labs/05_multi_connection_client.py {usage}")
    host, timeout, lines = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    talks = []
    for number, port in enumerate(sys.argv[4:], 1):
        talks.append(Talk((host, int(port)), b"I am connection %d\n" % number * lines))
    converse(talks, timeout)
    for number, talk in enumerate(talks, 1):
        print(f"connection {number}:", talk.error or f"{len(talk.reply)} bytes {talk.reply[:40]}")
    sys.exit(1 if any(talk.error for talk in talks) else 0)


if __name__ == "__main__":
    main()
