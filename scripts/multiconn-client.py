"""Many conversations with an echo server at the same time, in one thread.

    python scripts/multiconn-client.py                             three, on 127.0.0.1, port 65432
    python scripts/multiconn-client.py 127.0.0.1 65432 hello -n 5  five, each sends this line

It says of each connection how its conversation ended, as it ends. The exit code is 0 if every
connection got back exactly what it had sent, 1 if one did not (refused, broken off, silent, other
bytes came back), 2 if the command line is wrong, and 130 after Ctrl-C.
"""

import errno
import os
import selectors
import socket
import sys
import time
from dataclasses import dataclass

import calling
import serving

CHUNK = 65536  # bytes: the most that is sent or read at once
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)  # the last one is what Windows says


@dataclass
class Talk:
    """One conversation: what is sent, how far it is, and which addresses are left to try."""

    number: int
    message: bytes
    addresses: list
    connected: bool = False
    sent: int = 0
    received: int = 0


def begin(selector, talk, error=None):
    """Begin to connect to the next address that can be tried; the last error if none can."""
    while talk.addresses:
        try:
            return connect(selector, talk, *talk.addresses.pop(0))
        except OSError as failure:
            error = failure
    return error


def connect(selector, talk, family, kind, proto, _, address):
    """Begin to connect and do not wait; OSError if that fails at once."""
    sock = socket.socket(family, kind, proto)
    sock.setblocking(False)
    code = sock.connect_ex(address)
    if code not in UNDER_WAY:
        sock.close()
        raise OSError(code, os.strerror(code))
    selector.register(sock, WRITE, talk)  # it will be writable when it is connected, or failed


def finish_connecting(selector, sock, talk):
    """Now talk; OSError if the connection failed: writable is not connected."""
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, os.strerror(code))
    talk.connected = True
    selector.modify(sock, READ | WRITE, talk)


def send_more(selector, sock, talk):
    """Send a part of what is left; behind the last part, the end of stream."""
    talk.sent += sock.send(talk.message[talk.sent : talk.sent + CHUNK])
    if talk.sent == len(talk.message):
        sock.shutdown(socket.SHUT_WR)  # done talking, still listening
        selector.modify(sock, READ, talk)


def read_more(sock, talk):
    """Read what is there; True at the end of stream. ValueError if it is not what was sent."""
    data = sock.recv(CHUNK)
    wanted = talk.message[talk.received : talk.received + len(data)]
    if data != wanted:
        raise ValueError(f"{data[:40]} came back where {wanted[:40]} was sent")
    talk.received += len(data)
    if not data and talk.received < len(talk.message):
        raise ConnectionAbortedError("the stream ended early")
    return not data


def go_on(selector, sock, talk, events):
    """Do what sock is ready for; True if the conversation has ended well."""
    if not talk.connected:
        finish_connecting(selector, sock, talk)
    elif events & READ and read_more(sock, talk):
        return True
    elif events & WRITE:
        send_more(selector, sock, talk)
    return False


def hang_up(selector, sock):
    """Forget sock, then close it: once closed, it has no descriptor to look it up by."""
    selector.unregister(sock)
    sock.close()


def take_turn(selector, sock, talk, events):
    """Go on with one conversation; yields (talk, error) if it has ended."""
    error = None
    try:
        if not go_on(selector, sock, talk, events):
            return
    except BlockingIOError:  # woken for nothing
        return
    except (OSError, ValueError) as failure:
        error = failure
    hang_up(selector, sock)
    if talk.connected or (error := begin(selector, talk, error)):
        yield talk, error


def converse_all(talks, timeout):
    """Hold all talks at once; yields (talk, error) as each ends, error is None if it went well."""
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        try:
            for talk in talks:
                if error := begin(selector, talk):
                    yield talk, error
            while selector.get_map() and (left := deadline - time.monotonic()) > 0:
                for key, events in selector.select(left):
                    yield from take_turn(selector, key.fileobj, key.data, events)
            for key in selector.get_map().values():
                yield key.data, TimeoutError()
        finally:
            for key in list(selector.get_map().values()):
                hang_up(selector, key.fileobj)


def parse_arguments():
    """What was typed after the program's name."""
    parser = calling.make_parser(
        "Hold many conversations with an echo server at the same time.",
        "Exit code: 0 if everything came back on every connection, 1 if not, 130 after Ctrl-C.",
        timeout="how many seconds all conversations may take",
    )
    add = parser.add_argument
    add("message", nargs="*", default=["hello"], help="sent as one line, in UTF-8")
    add("-n", "--connections", default=3, type=calling.count, help="how many (default: 3)")
    return parser.parse_args()


def tell(talk, error, host, port):
    """Print how a conversation ended: to standard error if not well."""
    came_back = f"{talk.received} of {len(talk.message)} bytes came back"
    if error:
        reason = error if isinstance(error, ValueError) else calling.explain(error, host, port)
        print(f"connection {talk.number}: {came_back}: {reason}", file=sys.stderr)
    else:
        calling.tell(f"connection {talk.number}: {came_back}")


def main():
    """Converse, and return the exit code: 0, or 1 after an error."""
    it = parse_arguments()
    try:
        addresses = socket.getaddrinfo(it.host, it.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        print("error:", calling.explain(error, it.host, it.port), file=sys.stderr)
        return 1
    message = b"".join(calling.lines(it.message))
    talks = [Talk(number, message, addresses.copy()) for number in range(1, it.connections + 1)]
    code = 0
    for talk, error in converse_all(talks, it.timeout):
        code = 1 if error else code
        tell(talk, error, it.host, it.port)
    return code


if __name__ == "__main__":
    serving.allow_many_sockets()
    calling.run(main)
