"""Right: a generator for each conversation, which yields what it waits for."""

import errno
import selectors
import socket
import sys
import time

R, W = selectors.EVENT_READ, selectors.EVENT_WRITE


def conversation(sock, address, message):
    """Yields events to wait for and is sent those that came; returns the reply."""
    if (code := sock.connect_ex(address)) not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
        raise OSError(code, "refused at once")
    yield W
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, "not connected")
    reply, view = bytearray(), memoryview(message)
    while view:
        events = yield R | W
        if events & R:
            reply += sock.recv(65536)
        elif events & W:
            view = view[sock.send(view) :]
    sock.shutdown(socket.SHUT_WR)
    while (yield R) and (data := sock.recv(3)):
        reply += data
    return bytes(reply)


class Scheduler:
    """Drives the generators."""

    def __init__(self):
        self.selector, self.outcomes = selectors.DefaultSelector(), {}

    def start(self, number, address, message):
        """One more."""
        sock = socket.socket()
        sock.setblocking(False)
        talk = conversation(sock, address, message)
        self.selector.register(sock, W, (number, talk))
        self.go_on(sock, number, talk, None)

    def go_on(self, sock, number, talk, events):
        """Until its next yield, or its end."""
        try:
            self.selector.modify(sock, talk.send(events), (number, talk))
        except StopIteration as end:
            self.stop(sock, number, end.value)
        except OSError as error:
            self.stop(sock, number, type(error).__name__)

    def stop(self, sock, number, outcome):
        """This one is over."""
        self.outcomes[number] = outcome
        self.selector.unregister(sock)
        sock.close()

    def run(self, end):
        """All of them, or until the end."""
        while self.selector.get_map() and time.monotonic() < end:
            for key, events in self.selector.select(end - time.monotonic()):
                self.go_on(key.fileobj, *key.data, events)
        for key in list(self.selector.get_map().values()):
            self.stop(key.fileobj, key.data[0], "TimeoutError")


def main(host, timeout, lines, *ports):
    """Have them all, tell them all."""
    end, scheduler = time.monotonic() + float(timeout), Scheduler()
    for number, port in enumerate(ports, 1):
        scheduler.start(number, (host, int(port)), b"I am connection %d\n" % number * int(lines))
    scheduler.run(end)
    for number, outcome in sorted(scheduler.outcomes.items()):
        if isinstance(outcome, bytes):
            outcome = f"{len(outcome)} bytes {outcome[:40]}"
        print(f"connection {number}: {outcome}")
    return sum(isinstance(outcome, str) for outcome in scheduler.outcomes.values()) and 1


sys.exit(main(*sys.argv[1:]))
