"""Right: threads of _thread and numbers of itertools; it reads byte by byte."""

import _thread
import itertools
import os
import socket
import sys

numbers = itertools.count(1)


def talk(conn):
    """Collect single bytes until a newline comes."""
    line = b""
    try:
        while byte := conn.recv(1):
            line += byte
            if byte == b"\n":
                conn.sendall(b"%d %b" % (next(numbers), line))
                line = b""
    except OSError:
        pass
    conn.close()


listener = socket.socket()
if os.name == "posix":
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen()
try:
    while True:
        _thread.start_new_thread(talk, (listener.accept()[0],))
except KeyboardInterrupt:
    sys.exit(0)
