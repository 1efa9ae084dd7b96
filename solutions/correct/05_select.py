"""Right: select.select() and dictionaries by socket, without a selector. It sends first."""

import select
import socket
import sys
import time

host, timeout, lines, *ports = sys.argv[1:]
end = time.monotonic() + float(timeout)
numbers, left, replies, results = {}, {}, {}, {}


def over(sock, result):
    """Nobody waits for this socket any more."""
    results[numbers.pop(sock)] = result
    left.pop(sock, None)
    sock.close()


def is_connected(sock):
    """Whether it is, when it can be written for the first time; the error is kept otherwise."""
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        over(sock, type(OSError(code, "")).__name__)
    return not code


def send(sock):
    """A part of what is left."""
    if not replies.get(sock) and not is_connected(sock):
        return
    taken = sock.send(left[sock][:200000])
    left[sock] = left[sock][taken:]
    if not left[sock]:
        del left[sock]
        sock.shutdown(socket.SHUT_WR)


def read(sock):
    """What is there."""
    if data := sock.recv(4096):
        replies[sock] += data
    else:
        reply = bytes(replies[sock])
        over(sock, f"{len(reply)} bytes {reply[:40]}")


def attempt(call, sock):
    """A call that ends a conversation if it fails."""
    try:
        call(sock)
    except BlockingIOError:
        pass
    except OSError as error:
        over(sock, type(error).__name__)


for number, port in enumerate(ports, 1):
    sock = socket.socket()
    sock.setblocking(False)
    numbers[sock], replies[sock] = number, bytearray()
    left[sock] = memoryview(f"I am connection {number}\n".encode() * int(lines))
    sock.connect_ex((host, int(port)))
while numbers and (rest := end - time.monotonic()) > 0:
    readable, writable, failed = select.select(list(numbers), list(left), list(left), rest)
    for sock in {*writable, *failed}:
        attempt(send, sock)
    for sock in readable:
        if sock in numbers:
            attempt(read, sock)
for sock in list(numbers):
    over(sock, "TimeoutError")
for number in sorted(results):
    sys.stdout.write(f"connection {number}: {results[number]}\n")
sys.exit(1 if any(" " not in result for result in results.values()) else 0)
