"""Right: select.select() and a dictionary of bytearrays; a socket is closed when all is done."""

import os
import select
import socket
import sys

owed = {}  # by connection: what it is to get
ended = set()  # connections that will say no more


def drop(conn):
    """Forget a client."""
    owed.pop(conn, None)
    ended.discard(conn)
    conn.close()


def take(conn):
    """Something from a client, or its end."""
    data = conn.recv(30_000)
    if data:
        owed[conn] += data
    else:
        ended.add(conn)


def give(conn):
    """As much as there is room for."""
    with memoryview(owed[conn]) as view:
        sent = conn.send(view[:50_000])
    del owed[conn][:sent]


def attempt(call, conn):
    """A call that drops the client if it fails."""
    try:
        call(conn)
    except BlockingIOError:
        pass
    except OSError:
        drop(conn)


def turn(listener):
    """One round: wait, take, give, drop who is done."""
    reading = [conn for conn in owed if conn not in ended and len(owed[conn]) < 300_000]
    writing = [conn for conn in owed if owed[conn]]
    readable, writable, _ = select.select([listener, *reading], writing, [])
    for conn in writable:
        attempt(give, conn)
    for sock in readable:
        if sock is listener:
            conn, _ = listener.accept()
            conn.setblocking(False)
            owed[conn] = bytearray()
        elif sock in owed:
            attempt(take, sock)
    for conn in [conn for conn in ended if not owed[conn]]:
        drop(conn)


with socket.socket() as listener:
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((sys.argv[1], int(sys.argv[2])))
    listener.listen(5)
    try:
        while True:
            turn(listener)
    except KeyboardInterrupt:
        for conn in list(owed):
            drop(conn)
