"""Mistake: does not expect that a client may reset its connection.

Caught by: test_reset
Says: left in the middle
Diagnosed as: dies when a client leaves without a goodbye
"""

import os
import socket
import sys


def make_listener(host, port):
    """A TCP socket that listens on host and port, even if a server was just stopped there."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    return listener


def serve_forever(listener):
    """Serve one client after another: send back what each one sends, until it has no more."""
    while True:
        conn, _ = listener.accept()
        with conn:
            while data := conn.recv(1024):
                conn.sendall(data)


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/01_echo_server.py HOST PORT")
    with make_listener(sys.argv[1], int(sys.argv[2])) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
