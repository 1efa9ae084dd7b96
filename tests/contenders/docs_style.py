"""The loop of Python's `selectors` documentation: one recv(), one send(), and hope.

Not right: what send() did not take is lost, and one client's reset ends the server.
"""

import selectors
import socket
import sys

CHUNK = 65536  # the documentation's 1000 bytes would be unfair for large messages


def accept(listener, mask):
    conn, _ = listener.accept()
    conn.setblocking(False)
    selector.register(conn, selectors.EVENT_READ, read)


def read(conn, mask):
    data = conn.recv(CHUNK)
    if data:
        conn.send(data)
    else:
        selector.unregister(conn)
        conn.close()


selector = selectors.DefaultSelector()
with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096) as listener:
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ, accept)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    while True:
        for key, mask in selector.select():
            key.data(key.fileobj, mask)
