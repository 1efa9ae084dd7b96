"""An echo server: it sends back whatever a client sends, one client after another.

    python scripts/echo-server.py                 on 127.0.0.1, port 65432
    python scripts/echo-server.py 127.0.0.1 0     on a port that the system chooses
    python scripts/echo-server.py ::1             on IPv6

While one client is connected, the next one waits in the accept queue. Ctrl-C stops the server.
"""

import sys
from contextlib import suppress

import serving


def serve_one(conn):
    """Send back whatever conn receives, until its end of stream or until it breaks."""
    try:
        while data := conn.recv(65536):
            conn.sendall(data)
    except OSError as error:  # this client is gone, but the next one is waiting
        print(f"a client broke off: {error}", file=sys.stderr)


def serve_forever(listener):
    """Serve one client after another."""
    while True:
        with suppress(ConnectionError):  # not Linux: accept() says that a client left the queue
            conn, _ = listener.accept()
            with conn:
                serve_one(conn)


if __name__ == "__main__":
    serving.run(serve_forever, "Send back whatever a client sends, one client after another.")
