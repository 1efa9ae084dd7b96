"""Right: an object and a queue for each client; READ and WRITE together, up to 1 MiB."""

import contextlib
import selectors
import socket
import sys
from collections import deque

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
PIECE, MOST = 777, 1_048_576  # bytes


class Listener:
    """Takes what comes."""

    def __init__(self, selector, host, port):
        self.selector = selector
        self.sock = socket.create_server((host, port), backlog=64)
        self.sock.setblocking(False)
        selector.register(self.sock, READ, self.ready)

    def ready(self, events):
        """Accept all who wait."""
        with contextlib.suppress(BlockingIOError):
            while True:
                Client(self.selector, self.sock.accept()[0])


class Client:
    """One connection and what it is owed."""

    def __init__(self, selector, conn):
        conn.setblocking(False)
        self.selector, self.conn = selector, conn
        self.pieces, self.size, self.ended = deque(), 0, False
        self.selector.register(conn, READ, self.ready)

    def ready(self, events):
        """Do what is possible, then ask for what is wanted next."""
        try:
            if events & WRITE:
                self.send()
            if events & READ:
                self.receive()
        except BlockingIOError:
            pass
        except OSError:
            self.pieces.clear()
            self.ended = True
        self.ask()

    def receive(self):
        """One piece."""
        piece = self.conn.recv(PIECE)
        self.ended = not piece
        if piece:
            self.pieces.append(piece)
            self.size += len(piece)

    def send(self):
        """As many pieces as there is room for."""
        while self.pieces:
            piece = self.pieces.popleft()
            sent = 0
            try:
                sent = self.conn.send(piece)
            finally:
                self.size -= sent
                if piece[sent:]:
                    self.pieces.appendleft(piece[sent:])

    def ask(self):
        """For READ while there is room, for WRITE while something is owed, or hang up."""
        events = 0 if self.ended or self.size > MOST - PIECE else READ
        events |= WRITE if self.pieces else 0
        if events:
            self.selector.modify(self.conn, events, self.ready)
        else:
            self.selector.unregister(self.conn)
            self.conn.close()


selector = selectors.DefaultSelector()
Listener(selector, sys.argv[1], int(sys.argv[2]))
while True:
    for key, events in selector.select():
        key.data(events)
