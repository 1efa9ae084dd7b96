"""Mistake: goes from READ to WRITE when it owes something, and never back.

Caught by: test_reads_late
Says: then nothing for
Diagnosed as: is woken for WRITE and does not get on
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
        data.out = conn.recv(4096)
        if not data.out:
            return hang_up(selector, conn)
    if data.out:
        sent = conn.send(data.out)
        data.out = data.out[sent:]
        if data.out:
            selector.modify(conn, selectors.EVENT_WRITE, data)


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
            except BlockingIOError:
                selector.modify(key.fileobj, selectors.EVENT_WRITE, key.data)
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
