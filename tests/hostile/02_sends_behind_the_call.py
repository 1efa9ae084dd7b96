# Tries: to return at once and go on to send without end
# Deserves: only test_recv_exactly, test_takes_no_more, test_small_pieces, test_ends_too_early
# Caught by: test_send_message
# Bomb: memory

import os


def recv_exactly(conn, size):
    """Right."""
    data = b""
    while len(data) < size:
        if not (piece := conn.recv(size - len(data))):
            raise EOFError
        data += piece
    return data


def send_message(conn, message):
    """Wrong: another connection than the one that the checks shut down."""
    if os.fork() == 0:
        while True:
            os.write(conn.fileno(), b"x" * 1_000_000)
