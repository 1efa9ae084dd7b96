"""Mistake: registers a connection anew where modify() is meant.

Caught by: test_reads_late
Says: is already registered
Diagnosed as: registers a socket a second time
"""

import os
import selectors
import socket
import sys

CHUNK = 65536  # bytes: the most to receive at once, and so the most that a client is owed


def make_listener(host, port):
    """A non-blocking TCP socket that listens on host and port, also just after a restart."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows the option would let two servers share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    listener.setblocking(False)
    return listener


def accept_clients(selector, listener):
    """Accept who waits, and register each connection: non-blocking, for READ, nothing owed."""
    while True:
        try:
            conn, _ = listener.accept()
        except BlockingIOError:  # nobody waits any more
            return
        except ConnectionError:  # not Linux: this client has left the queue
            continue
        conn.setblocking(False)
        selector.register(conn, selectors.EVENT_READ, b"")


def serve_client(selector, conn, owed):
    """Echo; if this connection is broken, hang up. "Not now" is no reason to hang up."""
    try:
        echo(selector, conn, owed)
    except BlockingIOError:
        pass
    except OSError:
        hang_up(selector, conn)


def echo(selector, conn, owed):
    """Send conn what it is owed, or else what it says now; hang up at its end of the stream."""
    data = owed or conn.recv(CHUNK)
    if not data:  # and nothing is owed: while something is, nothing is received
        return hang_up(selector, conn)
    try:
        owed = data[conn.send(data) :]
    except BlockingIOError:
        owed = data
    if owed:
        selector.register(conn, selectors.EVENT_WRITE, owed)


def hang_up(selector, conn):
    """Watch conn no longer, and close it."""
    selector.unregister(conn)
    conn.close()


def serve_forever(listener):
    """Serve everybody who connects, in this thread: whoever is ready is next."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    accept_clients(selector, key.fileobj)
                else:
                    serve_client(selector, key.fileobj, key.data)


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/04_multi_connection_server.py HOST PORT")
    with make_listener(sys.argv[1], int(sys.argv[2])) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
