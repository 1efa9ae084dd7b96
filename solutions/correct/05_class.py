"""Right: a class whose method for the next event is key.data, and a deadline of its own."""

import errno
import os
import selectors
import socket
import sys
import time


class Conversation:
    """One connection: `step` is what to do when its socket is ready."""

    def __init__(self, loop, number, address, message):
        self.loop, self.number, self.left = loop, number, memoryview(message)
        self.pieces, self.outcome = [], None
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.step = self.connected
        code = self.sock.connect_ex(address)
        self.loop.register(self.sock, selectors.EVENT_WRITE, self)
        if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            self.end(OSError(code, os.strerror(code)))

    def connected(self, events):
        """The connection is decided."""
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        self.step = self.both
        self.loop.modify(self.sock, selectors.EVENT_WRITE | selectors.EVENT_READ, self)

    def both(self, events):
        """Send and read."""
        if events & selectors.EVENT_READ:
            self.read(events)
        if self.outcome is None and events & selectors.EVENT_WRITE:
            self.left = self.left[self.sock.send(self.left[:1000000]) :]
            if not self.left:
                self.sock.shutdown(socket.SHUT_WR)
                self.step = self.read
                self.loop.modify(self.sock, selectors.EVENT_READ, self)

    def read(self, events):
        """Only read, as long as there is something."""
        while piece := self.sock.recv(100):
            self.pieces.append(piece)
        self.end()

    def end(self, error=None):
        """Over."""
        reply = b"".join(self.pieces)
        self.outcome = type(error).__name__ if error else f"{len(reply)} bytes {reply[:40]!r}"
        self.failed = bool(error)
        self.loop.unregister(self.sock)
        self.sock.close()


def run(loop, end):
    """Until nobody is left."""
    while loop.get_map():
        for key, events in loop.select(max(0, end - time.monotonic())):
            try:
                key.data.step(events)
            except BlockingIOError:
                continue
            except OSError as error:
                key.data.end(error)
        if time.monotonic() >= end:
            for key in [*loop.get_map().values()]:
                key.data.end(TimeoutError())


if __name__ == "__main__":
    host, seconds, count, *ports = sys.argv[1:]
    end = time.monotonic() + float(seconds)
    loop = selectors.DefaultSelector()
    everybody = [
        Conversation(loop, n, (host, int(port)), b"I am connection %d\n" % n * int(count))
        for n, port in enumerate(ports, 1)
    ]
    run(loop, end)
    for each in everybody:
        print(f"connection {each.number}: {each.outcome}")
    raise SystemExit(any(each.failed for each in everybody))
