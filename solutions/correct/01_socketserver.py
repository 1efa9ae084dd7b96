"""Right: the loop around accept() is the one of the socketserver module."""

import os
import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    """One client."""

    def handle(self):
        """Send back what the client sends; an error here is printed, and the server goes on."""
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.TCPServer):
    """Can be started again at once on the same port."""

    allow_reuse_address = os.name == "posix"


if __name__ == "__main__":
    with Server((sys.argv[1], int(sys.argv[2])), Echo) as server:
        server.serve_forever()
