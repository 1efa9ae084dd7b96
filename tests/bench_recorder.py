"""What a recording costs: ratios of interleaved runs, the best of many, on one core.

python tests/bench_recorder.py
"""

from __future__ import annotations

import os
import socket
import threading
import time
import tracemalloc
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context

from socketlab import record

ROUNDS, TRIPS, PAYLOAD = 15, 5_000, b"x" * 64


def echo(conn: socket.socket) -> None:
    with conn:
        while data := conn.recv(1024):
            conn.sendall(data)


def trips(sock: socket.socket) -> float:
    """Seconds for one round trip, the mean of TRIPS."""
    start = time.perf_counter()
    for _ in range(TRIPS):
        sock.sendall(PAYLOAD)
        sock.recv(1024)
    return (time.perf_counter() - start) / TRIPS


@contextmanager
def peer(kind: str):
    """A connected client socket, its echo server in another process or in another thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        conn, _ = listener.accept()
    make = get_context("fork").Process if kind == "process" else threading.Thread
    server = make(target=echo, args=(conn,), daemon=True)
    server.start()
    with sock:
        yield sock
    conn.close()


def cost(kind: str) -> tuple[float, float]:
    """(plain, recorded) seconds of a round trip, each the best of ROUNDS interleaved runs."""
    best = {False: 1.0, True: 1.0}
    with peer(kind) as sock:
        for _ in range(ROUNDS):
            for recorded in (False, True):
                with record() if recorded else nullcontext():
                    best[recorded] = min(best[recorded], trips(sock))
    return best[False], best[True]


def memory() -> float:
    """Bytes that one event keeps."""
    with peer("process") as sock:
        recording = record()
        tracemalloc.start()
        trips(sock)
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        recording.stop()
    return used / (2 * TRIPS)


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("round trip on one core      plain   recorded   ratio   an event")
    for kind, events in (("process", 2), ("thread", 4)):
        plain, recorded = cost(kind)
        each = (recorded - plain) / events * 1e6
        print(
            f"  echo in another {kind:8} {plain * 1e6:6.2f} us {recorded * 1e6:6.2f} us"
            f"   {recorded / plain:5.2f}   {each:5.2f} us"
        )
    print(f"memory: {memory():.0f} bytes an event of {len(PAYLOAD)} bytes")


if __name__ == "__main__":
    main()
