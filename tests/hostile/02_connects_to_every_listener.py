# Tries: to connect to the checks' own listeners and answer there
# Deserves: nothing
# Caught by: test_recv_exactly
# Tiers: A

import socket
import threading
import time


def listeners():
    """The ports that somebody listens on, as the kernel tells them."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A"}


def intrude():
    """For a second: more would be another program's business."""
    kept, end = [], time.monotonic() + 1
    while time.monotonic() < end:
        try:
            for port in listeners():
                kept.append(socket.create_connection(("127.0.0.1", port), 0.1))
                kept[-1].sendall(b'{"value": ["bytes", "68656c6c6f"]}\n')
        except OSError:
            pass


threading.Thread(target=intrude, daemon=True).start()


def recv_exactly(conn, size):
    """Wrong."""
    return b"wrong"
