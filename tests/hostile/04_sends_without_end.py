# Tries: to send each client bytes without end
# Deserves: only test_listens
# Caught by: test_one_client
# Says: wrong bytes

import socket
import sys
import threading


def flood(conn):
    """More than anybody asked for."""
    try:
        while True:
            conn.sendall(b"x" * 1_000_000)
    except OSError:
        pass


listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    threading.Thread(target=flood, args=listener.accept()[:1], daemon=True).start()
