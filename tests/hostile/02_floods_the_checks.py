# Tries: to send without end on the connection of the checks
# Deserves: nothing
# Caught by: test_recv_exactly
# Bomb: memory

import _socket
import gc


def recv_exactly(conn, size):
    """Wrong."""
    for sock in gc.get_objects():
        if type(sock) is _socket.socket:
            while True:
                sock.sendall(b"[" * 1_000_000)
    os = __import__("os")
    for number in range(3, 64):
        try:
            while os.write(number, b"[" * 1_000_000):
                pass
        except OSError:
            pass
