"""Right: Ctrl-C raises nothing, but wakes select() through a socket, and the loop ends."""

import selectors
import signal
import socket
import sys
from contextlib import ExitStack


def main(host, port):
    """Serve until a byte comes through the alarm."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, port)))
        selector = stack.enter_context(selectors.DefaultSelector())
        alarm, bell = (stack.enter_context(sock) for sock in socket.socketpair())
        for sock in (listener, alarm, bell):
            sock.setblocking(False)
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.set_wakeup_fd(bell.fileno())
        conns = {}
        selector.register(alarm, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if alarm in ready:
                break
            if listener in ready:
                greet(selector, listener, conns)
            for conn in ready - {listener}:
                serve(selector, conn, conns)
        for conn in conns:
            conn.close()


def greet(selector, listener, conns):
    """Accept whoever is there, ten at most."""
    for _ in range(10):
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        conn.setblocking(False)
        conns[conn] = bytearray()
        selector.register(conn, selectors.EVENT_READ)


def serve(selector, conn, conns):
    """Fill the buffer of a client that is owed nothing, and empty it as far as there is room."""
    buffer = conns[conn]
    try:
        if not buffer:
            buffer += conn.recv(65_536)
            if not buffer:
                return hang_up(selector, conn, conns)
        del buffer[: conn.send(buffer)]
    except BlockingIOError:
        pass
    except OSError:
        return hang_up(selector, conn, conns)
    selector.modify(conn, selectors.EVENT_WRITE if buffer else selectors.EVENT_READ)


def hang_up(selector, conn, conns):
    """Forget a client."""
    selector.unregister(conn)
    del conns[conn]
    conn.close()


main(sys.argv[1], int(sys.argv[2]))
