"""Mistake: hangs up in the READ branch and goes on to the WRITE branch.

Caught by: test_reset_while_owing
Says: Bad file descriptor
Diagnosed as: goes on with a connection that it has closed
"""

import os
import selectors
import socket
import sys
import types

LIMIT = 500_000  # bytes: while more is owed, nothing is received


def make_listener(host, port):
    """A non-blocking TCP socket that listens on host and port, also just after a restart."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    listener.setblocking(False)
    return listener


def accept_client(selector, listener):
    """Accept one client, with a place for what it is owed."""
    conn, address = listener.accept()
    conn.setblocking(False)
    data = types.SimpleNamespace(address=address, out=b"", done=False)
    selector.register(conn, selectors.EVENT_READ, data)


def hang_up(selector, conn):
    """Watch conn no longer, and close it."""
    selector.unregister(conn)
    conn.close()


def receive(selector, key):
    """Receive what there is."""
    try:
        received = key.fileobj.recv(1024)
    except ConnectionError:
        hang_up(selector, key.fileobj)
        return
    key.data.out += received
    key.data.done = not received
    watch(selector, key)


def send(selector, key):
    """Send what there is room for."""
    try:
        sent = key.fileobj.send(key.data.out)
    except ConnectionError:
        hang_up(selector, key.fileobj)
        return
    key.data.out = key.data.out[sent:]
    watch(selector, key)


def watch(selector, key):
    """READ while there is room, WRITE while something is owed; hang up if there is neither."""
    events = 0 if key.data.done or len(key.data.out) > LIMIT else selectors.EVENT_READ
    if key.data.out:
        events |= selectors.EVENT_WRITE
    if events:
        selector.modify(key.fileobj, events, key.data)
    else:
        hang_up(selector, key.fileobj)


def serve_forever(listener):
    """Serve everybody who connects, in this thread: whoever is ready is next."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, mask in selector.select():
            if key.data is None:
                accept_client(selector, key.fileobj)
                continue
            if mask & selectors.EVENT_READ:
                receive(selector, key)
            if mask & selectors.EVENT_WRITE:
                send(selector, key)


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/04_multi_connection_server.py HOST PORT")
    with make_listener(sys.argv[1], int(sys.argv[2])) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
