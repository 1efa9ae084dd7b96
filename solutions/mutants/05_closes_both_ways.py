"""Mistake: shuts both directions down behind the message.

Caught by: test_reply
Says: ended before the server had replied
Diagnosed as: ends the talk when its message is sent
"""

import errno
import selectors
import socket
import sys
import time
from dataclasses import dataclass

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)  # the last one is what Windows says
CHUNK = 65536  # bytes: the most that is sent or read at once


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
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for talk in talks:
            try:
                begin(selector, talk)
            except OSError as error:
                talk.error = type(error).__name__
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, events in selector.select(left):
                take_turn(selector, key.fileobj, key.data, events)
        for key in list(selector.get_map().values()):
            key.data.error = "TimeoutError"
            hang_up(selector, key.fileobj)


def begin(selector, talk):
    """Begin to connect, without waiting; OSError if that fails at once."""
    sock = socket.socket()
    sock.setblocking(False)
    code = sock.connect_ex(talk.address)
    if code not in UNDER_WAY:
        sock.close()
        raise OSError(code, "")
    selector.register(sock, WRITE, talk)  # it will be writable when it is connected, or failed


def take_turn(selector, sock, talk, events):
    """Do what sock is ready for; hang up if the talk is over, well or not."""
    over = False
    try:
        if not talk.connected:
            finish_connecting(selector, sock, talk)
        elif events & READ:
            over = read_more(sock, talk)
        elif events & WRITE:
            send_more(selector, sock, talk)
    except BlockingIOError:
        pass  # woken for nothing
    except OSError as error:
        talk.error, over = type(error).__name__, True
    if over:
        hang_up(selector, sock)


def finish_connecting(selector, sock, talk):
    """The talk may begin; OSError if the connection failed: writable is not connected."""
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, "")
    talk.connected = True
    selector.modify(sock, READ | WRITE, talk)


def send_more(selector, sock, talk):
    """Send a part of what is left; behind the last part, the end of the stream."""
    talk.sent += sock.send(talk.message[talk.sent : talk.sent + CHUNK])
    if talk.sent == len(talk.message):
        sock.shutdown(socket.SHUT_RDWR)
        selector.modify(sock, READ, talk)


def read_more(sock, talk):
    """Read what is there; True at the end of the stream."""
    data = sock.recv(CHUNK)
    talk.reply += data
    return not data


def hang_up(selector, sock):
    """Forget sock and close it."""
    selector.unregister(sock)  # once closed, it has no descriptor to look it up by
    sock.close()


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
