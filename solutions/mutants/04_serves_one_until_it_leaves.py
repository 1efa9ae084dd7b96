"""Mistake: a loop around recv(), as in lab 01, inside the event of one client.

Caught by: test_silent_client
Says: Nothing came back
Diagnosed as: stays with one client
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


def accept_client(selector, listener):
    """Accept one client."""
    conn, _ = listener.accept()
    selector.register(conn, selectors.EVENT_READ, "client")


def serve_client(selector, conn):
    """Echo until the client has no more."""
    try:
        while data := conn.recv(1024):
            conn.sendall(data)
    except ConnectionError:
        pass
    selector.unregister(conn)
    conn.close()


def serve_forever(listener):
    """Serve everybody who connects."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                accept_client(selector, key.fileobj)
            else:
                serve_client(selector, key.fileobj)


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/04_multi_connection_server.py HOST PORT")
    with make_listener(sys.argv[1], int(sys.argv[2])) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
