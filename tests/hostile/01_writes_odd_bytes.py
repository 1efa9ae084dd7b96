# Tries: to confuse who reads its output: NULs, invalid UTF-8, terminal escapes, HTML, formulas
# Deserves: full

import socket
import sys

sys.stdout.buffer.write(b"\0\xff\xfe \x1b[2J\x1b]0;x\x07 <script>alert(1)</script>\n" * 50)
sys.stderr.buffer.write(b"=HYPERLINK(1)\n+1\n-1\n@SUM(A1)\n\xe2\x80\xae\r\n" * 50)


def serve_forever(host, port):
    """Echo, one client after another."""
    listener = socket.create_server((host, port))
    while True:
        conn, _ = listener.accept()
        with conn:
            try:
                while data := conn.recv(65536):
                    conn.sendall(data)
            except ConnectionError:
                pass


serve_forever(sys.argv[1], int(sys.argv[2]))
