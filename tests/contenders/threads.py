"""One blocking thread for each client."""

import socket
import sys
import threading

CHUNK = 65536


def serve_client(conn):
    with conn:
        while data := conn.recv(CHUNK):
            conn.sendall(data)


with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096) as listener:
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve_client, args=(conn,), daemon=True).start()
