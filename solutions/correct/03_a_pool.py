"""Right: a pool that is large enough; at Ctrl-C the connections are shut down."""

import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor


class Numbers:
    """Numbers under a condition's lock, kept as a list of one."""

    def __init__(self):
        self.last, self.turn = [0], threading.Condition()

    def __next__(self):
        with self.turn:
            self.last[0] += 1
            return self.last[0]


def serve_client(conn, numbers, open_ones):
    """One conversation; whatever goes wrong ends it."""
    open_ones[id(conn)] = conn
    try:
        with conn.makefile("rwb", buffering=0) as stream:
            while (line := stream.readline())[-1:] == b"\n":
                conn.sendall(b" ".join([b"%d" % next(numbers), line]))
    except OSError:
        pass
    finally:
        del open_ones[id(conn)]
        conn.close()


def main(host, port):
    """Serve up to 200 clients at a time."""
    numbers, open_ones = Numbers(), {}
    with ThreadPoolExecutor(200) as pool, socket.create_server((host, port)) as listener:
        try:
            while True:
                pool.submit(serve_client, listener.accept()[0], numbers, open_ones)
        except KeyboardInterrupt:
            for conn in list(open_ones.values()):
                conn.shutdown(socket.SHUT_RDWR)


main(sys.argv[1], int(sys.argv[2]))
