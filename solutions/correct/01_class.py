"""Right: the same server as a class with a method for each client."""

import os
import socket
import sys


class EchoServer:
    """Serves one client after another on its listening socket."""

    def __init__(self, host, port):
        self.listener = socket.socket()
        if os.name == "posix":
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(1)

    def run(self):
        """Serve for ever."""
        while True:
            conn, _ = self.listener.accept()
            try:
                self.converse(conn)
            except OSError as error:
                print("a client is lost:", error, file=sys.stderr)
            finally:
                conn.close()

    def converse(self, conn):
        """Send back what this client sends, piece by piece."""
        data = conn.recv(4096)
        while data != b"":
            sent = 0
            while sent < len(data):
                sent += conn.send(data[sent:])
            data = conn.recv(4096)


EchoServer(sys.argv[1], int(sys.argv[2])).run()
