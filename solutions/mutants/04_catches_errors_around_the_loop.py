"""Mistake: the try stands around the whole loop: the first reset ends it.

Caught by: test_reset
Says: exit code 0
Diagnosed as: lets one error end the loop
"""

import os
import selectors
import socket
import sys
import types

LIMIT = 100_000  # bytes: while more is owed, nothing is received


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


def serve_client(selector, key, mask):
    """Receive and send, whichever is possible now."""
    conn, data = key.fileobj, key.data
    if mask & selectors.EVENT_READ:
        received = conn.recv(1024)
        data.out += received
        data.done = not received
    if mask & selectors.EVENT_WRITE and data.out:
        sent = conn.send(data.out)
        data.out = data.out[sent:]
    if data.done and not data.out:
        return hang_up(selector, conn)
    watch(selector, key)


def watch(selector, key):
    """READ while there is room, WRITE while something is owed."""
    events = 0 if key.data.done or len(key.data.out) > LIMIT else selectors.EVENT_READ
    if key.data.out:
        events |= selectors.EVENT_WRITE
    selector.modify(key.fileobj, events, key.data)


def serve_forever(listener):
    """Serve everybody who connects, in this thread: whoever is ready is next."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    try:
        while True:
            for key, mask in selector.select():
                if key.data is None:
                    accept_client(selector, key.fileobj)
                else:
                    serve_client(selector, key, mask)
    except ConnectionError as error:
        print("connection lost:", error)
    finally:
        selector.close()


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/04_multi_connection_server.py HOST PORT")
    with make_listener(sys.argv[1], int(sys.argv[2])) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
