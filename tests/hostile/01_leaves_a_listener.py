# Tries: to leave a daemon that listens on a port and holds stdout open
# Deserves: full

import os
import signal
import socket
import sys

if os.fork() == 0:
    os.setsid()
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        listener = socket.create_server(("127.0.0.1", 0))
        while True:
            listener.accept()
    os._exit(0)
os.wait()


def serve_forever(host, port):
    """Echo, one client after another."""
    listener = socket.create_server((host, port))
    while True:
        conn, _ = listener.accept()
        with conn:
            try:
                while data := conn.recv(65536):
                    conn.sendall(data)
            except ConnectionError:
                pass


serve_forever(sys.argv[1], int(sys.argv[2]))
