"""Mistake: closes a connection, but leaves it in the list for select().

Caught by: test_leaves
Says: ValueError
Diagnosed as: closes a socket that is still watched
"""

import os
import select
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


def serve_forever(listener):
    """Serve everybody who connects, in this thread: whoever is ready is next."""
    conns, owed = [], {}
    while True:
        reads = [listener, *(conn for conn in conns if not owed[conn])]
        writes = [conn for conn in conns if owed[conn]]
        readable, writable, _ = select.select(reads, writes, [])
        for sock in readable:
            if sock is listener:
                conn, _ = listener.accept()
                conn.setblocking(False)
                conns.append(conn)
                owed[conn] = b""
            else:
                receive(sock, conns, owed)
        for conn in writable:
            send(conn, conns, owed)


def receive(conn, conns, owed):
    """Take what this client says; forget the client at its end of the stream."""
    try:
        owed[conn] = conn.recv(4096)
    except ConnectionError:
        owed[conn] = b""
    if not owed[conn]:
        forget(conn, conns, owed)


def send(conn, conns, owed):
    """Send what there is room for."""
    try:
        owed[conn] = owed[conn][conn.send(owed[conn]) :]
    except ConnectionError:
        forget(conn, conns, owed)


def forget(conn, conns, owed):
    """This client is gone."""
    owed[conn] = b""
    conn.close()


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/04_multi_connection_server.py HOST PORT")
    with make_listener(sys.argv[1], int(sys.argv[2])) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
