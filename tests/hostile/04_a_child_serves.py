# Tries: to let a child serve, and wait for it
# Deserves: all but test_one_thread, test_ctrl_c
# Caught by: test_one_thread
# Says: 2 threads serve them

import os
import selectors
import socket
import sys

CHUNK = 65536


def serve_client(selector, conn, owed):
    """Send what is owed, or else receive."""
    try:
        if not (data := owed or conn.recv(CHUNK)):
            raise ConnectionError
        try:
            owed = data[conn.send(data) :]
        except BlockingIOError:
            owed = data
        selector.modify(conn, selectors.EVENT_WRITE if owed else selectors.EVENT_READ, owed)
    except BlockingIOError:
        pass
    except OSError:
        selector.unregister(conn)
        conn.close()


def serve_forever(host, port):
    """Right, but for who does it."""
    with socket.create_server((host, port)) as listener:
        selector = selectors.DefaultSelector()
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    conn, _ = listener.accept()
                    conn.setblocking(False)
                    selector.register(conn, selectors.EVENT_READ, b"")
                else:
                    serve_client(selector, key.fileobj, key.data)


if child := os.fork():
    os.waitpid(child, 0)
else:
    os.setsid()
    serve_forever(sys.argv[1], int(sys.argv[2]))
