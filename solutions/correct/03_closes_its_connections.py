"""Right: no daemon threads: Ctrl-C sets a flag, connections are shut down, threads joined."""

import contextlib
import signal
import socket
import sys
import threading

stop, lock = threading.Event(), threading.Lock()
state = {"lines": 0, "conns": set()}


def count():
    """The next number."""
    lock.acquire()
    try:
        state["lines"] = state["lines"] + 1
        return state["lines"]
    finally:
        lock.release()


def serve_client(conn):
    """One conversation."""
    with conn, contextlib.suppress(OSError):
        rest = b""
        while data := conn.recv(65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                conn.sendall(b"%d %b\n" % (count(), line))
    with lock:
        state["conns"].discard(conn)


def serve(listener):
    """Accept until the flag is set, then end every conversation."""
    listener.settimeout(0.05)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            conn, _ = listener.accept()
            conn.setblocking(True)
            with lock:
                state["conns"].add(conn)
            threading.Thread(target=serve_client, args=(conn,)).start()
    with lock:
        for conn in state["conns"]:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)


signal.signal(signal.SIGINT, lambda *_: stop.set())
with socket.create_server((sys.argv[1], int(sys.argv[2])), reuse_port=False) as listener:
    serve(listener)
