"""A message server for many clients at a time: each request gets a reply, in order.

    python scripts/app-server.py                 on 127.0.0.1, port 65432
    python scripts/app-server.py 127.0.0.1 0     on a port that the system chooses

What a message looks like is in messages.py, what is answered in answers.py. A client may send any
number of requests without waiting, and end its stream: it gets all replies. Bytes that are no
message get {"error": reason}; behind them nobody can tell where the next message begins, so this
connection, and no other, is closed. Ctrl-C stops the server.
"""

import errno
import os
import selectors
import socket
import time
from contextlib import suppress

import serving
from answers import Client, Phase, answer_some

CHUNK = 65536  # bytes: the most that is read at once
PATIENCE = 5  # seconds that a client has to read why its bytes were refused
BACKLOG = 4096  # clients in the accept queue; a system that allows fewer takes what it allows
PAUSE = 1  # second until the next accept() after there were no more sockets for us
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


def interest(client):
    """READ as long as the client may speak, WRITE only while it is owed bytes; 0: all is said."""
    return (READ if client.listened_to else 0) | (WRITE if client.owed else 0)


def serve_client(conn, client, events):
    """Read, answer and send as far as it goes without waiting."""
    with suppress(BlockingIOError):
        if events & READ:
            client.feed(conn.recv(CHUNK))
        while answer_some(client):
            del client.owed[: conn.send(client.owed)]
    if client.phase is Phase.REFUSED and not client.owed:
        conn.shutdown(socket.SHUT_WR)  # close() now would be a reset, and destroy the reply
        client.phase = Phase.LEAVING


def hang_up(selector, conn):
    """Forget conn, then close it: once closed, it has no descriptor to look it up by."""
    selector.unregister(conn)
    conn.close()


def accept_all(selector, listener):
    """Accept until nobody waits; OSError (EMFILE, most often) if there are no more sockets."""
    while len(selector.get_map()) < serving.MOST_SOCKETS:
        try:
            conn, _ = listener.accept()
        except BlockingIOError:  # the queue is empty
            return
        except ConnectionError:  # not Linux: this client has left the queue
            continue
        conn.setblocking(False)
        selector.register(conn, READ, Client())
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def serve_ready(selector, refused, timeout):
    """Wait until somebody is ready, or for timeout seconds, and serve all who are."""
    for key, events in selector.select(timeout):
        conn, client = key.fileobj, key.data
        if client is None:
            accept_all(selector, conn)
            continue
        try:
            serve_client(conn, client, events)
        except OSError:  # a reset, most often: this client is gone, the others are not
            hang_up(selector, conn)
            continue
        if client.phase in (Phase.REFUSED, Phase.LEAVING):
            refused.setdefault(conn, time.monotonic() + PATIENCE)
        wanted = interest(client)
        if not wanted:  # all is said
            hang_up(selector, conn)
        elif wanted != key.events:
            selector.modify(conn, wanted, client)


def give_up(selector, refused):
    """Hang up on clients that were refused long ago; the seconds until the next, None if none."""
    while refused:
        conn, deadline = next(iter(refused.items()))
        left = deadline - time.monotonic()
        if conn.fileno() >= 0 and left > 0:
            return left
        del refused[conn]
        if conn.fileno() >= 0:
            hang_up(selector, conn)
    return None


def serve_or_pause(selector, listener, refused):
    """Serve all who are ready; if there are no more sockets, accept nobody for a while."""
    try:
        serve_ready(selector, refused, give_up(selector, refused))
    except OSError as error:  # accept() failed, and would fail again at once
        serving.complain(f"new clients have to wait: {error}")
        selector.unregister(listener)
        serve_ready(selector, refused, PAUSE)  # somebody may leave, and then there is room
        selector.register(listener, READ)


def serve_selectors(listener):
    """Serve everybody who connects, for ever, in this thread."""
    listener.setblocking(False)
    refused = {}  # connections that will be closed, and when; the oldest first
    with selectors.DefaultSelector() as selector:
        selector.register(listener, READ)
        try:
            while True:
                serve_or_pause(selector, listener, refused)
        finally:
            for key in list(selector.get_map().values()):
                hang_up(selector, key.fileobj)


if __name__ == "__main__":
    serving.allow_many_sockets()
    serving.run(serve_selectors, "Answer the messages of many clients at a time.", BACKLOG)
