"""An echo server for many clients at a time, in one thread: it asks the system who is ready.

    python scripts/multiconn-server.py                 on 127.0.0.1, port 65432
    python scripts/multiconn-server.py 127.0.0.1 0     on a port that the system chooses
    python scripts/multiconn-server.py ::1             on IPv6

No client has to wait for another: not for one that is silent, does not read, or breaks off. What
the selector keeps for each client, `key.data`, is the bytes that the server still owes it. As long
as it owes some, it reads no more from this client. Ctrl-C stops the server.
"""

import errno
import os
import selectors

import serving

CHUNK = 65536  # bytes: the most that is read at once, and so the most that a client is owed
BACKLOG = 4096  # clients in the accept queue; a system that allows fewer takes what it allows
PAUSE = 1  # second until the next accept() after there were no more sockets for us


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
        selector.register(conn, selectors.EVENT_READ, b"")
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def echo(selector, conn, owed):
    """Send conn what it is owed, or else what it says now; hang up at its end of stream."""
    if data := owed or conn.recv(CHUNK):
        deliver(selector, conn, data, owed)
    else:  # and nothing is owed: nothing was read while something was
        hang_up(selector, conn)


def deliver(selector, conn, data, owed):
    """Send conn as much of data as it can take now, and keep the rest as what it is owed."""
    try:
        rest = data[conn.send(data) :]
    except BlockingIOError:
        rest = data
    if rest:
        selector.modify(conn, selectors.EVENT_WRITE, rest)
    elif owed:  # all paid: to keep EVENT_WRITE would wake us all the time
        selector.modify(conn, selectors.EVENT_READ, b"")


def hang_up(selector, conn):
    """Forget conn, then close it: once closed, it has no descriptor to look it up by."""
    selector.unregister(conn)
    conn.close()


def serve_ready(selector, serve, timeout=None):
    """Wait until somebody is ready, or for timeout seconds; accept, and serve all who are."""
    for key, _ in selector.select(timeout):
        if key.data is None:
            accept_all(selector, key.fileobj)
            continue
        try:
            serve(selector, key.fileobj, key.data)
        except BlockingIOError:  # woken for nothing
            pass
        except OSError:  # a reset, most often: this client is gone, the others are not
            hang_up(selector, key.fileobj)


def serve_or_pause(selector, listener, serve):
    """Serve all who are ready; if there are no more sockets, accept nobody for a while."""
    try:
        serve_ready(selector, serve)
    except OSError as error:  # accept() failed, and would fail again at once
        serving.complain(f"new clients have to wait: {error}")
        selector.unregister(listener)
        serve_ready(selector, serve, PAUSE)  # somebody may leave, and then there is room
        selector.register(listener, selectors.EVENT_READ)


def serve_selectors(listener, serve=echo):
    """Serve everybody who connects, for ever, in this thread."""
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        try:
            while True:
                serve_or_pause(selector, listener, serve)
        finally:
            for key in list(selector.get_map().values()):
                hang_up(selector, key.fileobj)


if __name__ == "__main__":
    serving.allow_many_sockets()
    serving.run(serve_selectors, "Send back whatever clients send, many at a time.", BACKLOG)
