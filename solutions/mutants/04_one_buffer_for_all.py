"""Mistake: what is owed is kept in one buffer for all clients.

Caught by: test_slow_reader
Says: wrong bytes
Diagnosed as: keeps one buffer for all clients
"""

import os
import selectors
import socket
import sys


def make_listener(host, port):
    """A non-blocking TCP socket that listens on host and port, also just after a restart."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    listener.setblocking(False)
    return listener


owed = bytearray()


def accept_client(selector, listener):
    """Accept one client."""
    conn, address = listener.accept()
    conn.setblocking(False)
    selector.register(conn, selectors.EVENT_READ, address)


def hang_up(selector, conn):
    """Watch conn no longer, and close it."""
    selector.unregister(conn)
    conn.close()


def serve_client(selector, conn, mask):
    """Receive into the buffer, or send from it."""
    if mask & selectors.EVENT_READ:
        data = conn.recv(1024)
        if not data:
            hang_up(selector, conn)
            return
        owed.extend(data)
    try:
        sent = conn.send(owed)
    except BlockingIOError:
        sent = 0
    del owed[:sent]
    events = selectors.EVENT_WRITE if owed else selectors.EVENT_READ
    selector.modify(conn, events, "client")


def serve_forever(listener):
    """Serve everybody who connects, in this thread: whoever is ready is next."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, mask in selector.select():
            if key.fileobj is listener:
                accept_client(selector, listener)
                continue
            try:
                serve_client(selector, key.fileobj, mask)
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
