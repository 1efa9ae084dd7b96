"""Right: it takes two seconds to start, and it tells its whole life on stderr."""

import socket
import sys
import time


def say(*words):
    """A line on stderr."""
    print("[server]", *words, file=sys.stderr)


def serve(conn):
    """Send back what this client sends."""
    while data := conn.recv(1024):
        say("received", data)
        conn.sendall(data)


say("Error: the coffee machine is not ready yet")
time.sleep(2)
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
    say("listening on", listener.getsockname())
    while True:
        conn, peer = listener.accept()
        say("Traceback of", peer, "begins")
        with conn:
            try:
                serve(conn)
            except ConnectionError as error:
                say(type(error).__name__, error)
