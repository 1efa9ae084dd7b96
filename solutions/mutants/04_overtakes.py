"""Mistake: sends what is new at once, although older bytes are still owed.

Caught by: test_one_megabyte
Says: wrong bytes
Diagnosed as: mixes up what it owes
"""

import os
import selectors
import socket
import sys
import types


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
    conn, _ = listener.accept()
    conn.setblocking(False)
    selector.register(conn, selectors.EVENT_READ, types.SimpleNamespace(out=b""))


def hang_up(selector, conn):
    """Watch conn no longer, and close it."""
    selector.unregister(conn)
    conn.close()


def serve_client(selector, key, mask):
    """Receive and send, whichever is possible now."""
    conn, data = key.fileobj, key.data
    if mask & selectors.EVENT_READ:
        received = conn.recv(4096)
        if not received:
            return hang_up(selector, conn)
        send(conn, data, received)
    if mask & selectors.EVENT_WRITE and data.out:
        owed, data.out = data.out, b""
        send(conn, data, owed)
    events = selectors.EVENT_READ | (selectors.EVENT_WRITE if data.out else 0)
    selector.modify(conn, events, data)


def send(conn, data, new):
    """Send what there is room for, keep the rest."""
    try:
        sent = conn.send(new)
    except BlockingIOError:
        sent = 0
    data.out += new[sent:]


def serve_forever(listener):
    """Serve everybody who connects, in this thread: whoever is ready is next."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, mask in selector.select():
            if key.data is None:
                accept_client(selector, key.fileobj)
                continue
            try:
                serve_client(selector, key, mask)
            except ConnectionError:
                hang_up(selector, key.fileobj)


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/04_multi_connection_server.py HOST PORT")
    with make_listener(sys.argv[1], int(sys.argv[2])) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
