"""Right: one accept() for each event, one buffer to receive into, a look around each second."""

import selectors
import socket
import sys

buffer = bytearray(1 << 18)  # received bytes lie here until they are sent or copied: 256 KiB


class Gone(Exception):
    """This client needs nothing more."""


def receive(conn):
    """What a client says, as a view into the buffer."""
    try:
        count = conn.recv_into(buffer)
    except BlockingIOError:
        return None
    except ConnectionError:
        count = 0
    if not count:
        raise Gone
    return memoryview(buffer)[:count]


def send(conn, view):
    """Send what there is room for; a copy of the rest."""
    try:
        return bytes(view[conn.send(view) :])
    except BlockingIOError:
        return bytes(view)
    except ConnectionError:
        raise Gone from None


def serve(selector, key):
    """A turn of one client."""
    conn = key.fileobj
    try:
        view = key.data or receive(conn)
        if view is not None:
            rest = send(conn, view)
            wanted = selectors.EVENT_WRITE if rest else selectors.EVENT_READ
            selector.modify(conn, wanted, rest)
    except Gone:
        selector.unregister(conn)
        conn.close()


def main():
    """Go round and round."""
    turns = 0
    selector = getattr(selectors, "PollSelector", selectors.SelectSelector)()
    with socket.create_server((sys.argv[1], int(sys.argv[2])), reuse_port=False) as listener:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(1):  # on Windows, Ctrl-C is seen between two rounds
                if key.data is None:
                    conn = listener.accept()[0]
                    conn.setblocking(False)
                    selector.register(conn, selectors.EVENT_READ, b"")
                else:
                    serve(selector, key)
            turns += 1


if __name__ == "__main__":
    main()
