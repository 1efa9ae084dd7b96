"""Right: the server of the standard library, with a lock around the number."""

import contextlib
import socketserver
import sys
import threading

lock = threading.Lock()
number = 0


def count():
    """The next number."""
    global number
    with lock:
        number += 1
        return number


class Handler(socketserver.StreamRequestHandler):
    """The conversation with one client."""

    def handle(self):
        """Answer lines."""
        with contextlib.suppress(ConnectionError):
            while (line := self.rfile.readline()).endswith(b"\n"):
                self.wfile.write(str(count()).encode() + b" " + line)


class Server(socketserver.ThreadingTCPServer):
    """Threads do not keep the program alive."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 100


with Server((sys.argv[1], int(sys.argv[2])), Handler) as server:
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
