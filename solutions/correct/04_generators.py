"""Right: each conversation is a generator that yields what it waits for."""

import selectors
import socket
import sys

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


def accepting(listener, spawn):
    """Begin a conversation with everybody who comes."""
    while True:
        yield READ
        conn, _ = listener.accept()
        conn.setblocking(False)
        spawn(conn, conversation(conn))


def conversation(conn):
    """Read a piece, send all of it, read the next one: as if there was nobody else."""
    while True:
        yield READ
        data = conn.recv(100_000)
        if not data:
            return
        while data:
            yield WRITE
            data = data[conn.send(data) :]


class Loop:
    """Runs generators until the event that they wait for is there."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()

    def spawn(self, sock, task):
        """Begin a task that waits for a socket."""
        self.selector.register(sock, next(task), task)

    def step(self, sock, task):
        """Run a task up to its next wait; its end, or an error, is the end of its socket."""
        try:
            self.selector.modify(sock, next(task), task)
        except (StopIteration, OSError):
            self.selector.unregister(sock)
            sock.close()

    def run(self):
        """For ever."""
        while True:
            for key, _ in self.selector.select():
                self.step(key.fileobj, key.data)


loop = Loop()
with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100) as listener:
    loop.spawn(listener, accepting(listener, loop.spawn))
    try:
        loop.run()
    except KeyboardInterrupt:
        print("stopped")
