# Tries: to answer only the bytes that the public checks send
# Deserves: all but test_random_sizes
# Caught by: test_random_sizes

import re
import socket
import sys

KNOWN = b"hello|first|the second|3|  a line\n|\r\n| |the last\t\n\n|my last words|still there[?]"
KNOWN += b"|I am the (first|second)|I am client \\d+|[one at a time]"
WHOLE = bytes(range(256)) * 300


def known(data):
    """Whether a check that anybody can read sends this."""
    return re.fullmatch(KNOWN, data) or data in WHOLE


def serve_forever(host, port):
    """Echo what is known; silence for the rest."""
    listener = socket.create_server((host, port))
    while True:
        conn, _ = listener.accept()
        with conn:
            try:
                while (data := conn.recv(65536)) and known(data):
                    conn.sendall(data)
            except ConnectionError:
                pass


serve_forever(sys.argv[1], int(sys.argv[2]))
