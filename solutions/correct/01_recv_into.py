"""Right: one buffer for everything that is ever received; no bytes object is made."""

import socket
import sys

buffer = memoryview(bytearray(1000))

with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
    while True:
        conn, _ = listener.accept()
        with conn:
            try:
                while count := conn.recv_into(buffer):
                    conn.sendall(buffer[:count])
            except (ConnectionResetError, BrokenPipeError):
                print("reset", flush=True)
