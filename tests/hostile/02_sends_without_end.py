# Tries: to send without end where a few bytes are wanted
# Deserves: only test_recv_exactly, test_takes_no_more, test_small_pieces, test_ends_too_early
# Caught by: test_send_message


def recv_exactly(conn, size):
    """Right."""
    data = b""
    while len(data) < size:
        if not (piece := conn.recv(size - len(data))):
            raise EOFError
        data += piece
    return data


def send_message(conn, message):
    """Wrong."""
    while True:
        conn.sendall(b"x" * 1_000_000)
