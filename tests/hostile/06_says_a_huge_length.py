# Tries: a reply that says that 10 ** 3800 bytes follow
# Deserves: only test_build_text

import contextlib
import json
import socket
import sys


def build_message(kind, value, byteorder="big"):
    """Right for texts."""
    return sealed(kind, value.encode(), len(value.encode()))


def sealed(kind, content, length):
    """A message that says that its content has this length."""
    header = {"byteorder": "big", "content-type": kind, "content-encoding": "utf-8"}
    data = json.dumps(header | {"content-length": length}).encode()
    return len(data).to_bytes(2, "big") + data + content


def main():
    """Answer whoever comes with this."""
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
    while True:
        conn, _ = listener.accept()
        with conn, contextlib.suppress(OSError):
            conn.recv(1024)
            conn.sendall(sealed("text/plain", b"olleh", 10**3800))


if __name__ == "__main__":
    main()
