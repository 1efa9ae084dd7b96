"""Small programs for the tests of the checks, and a look at which processes still name them."""

from pathlib import Path
from textwrap import dedent

import psutil

RIGHT = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
    while True:
        conn, _ = listener.accept()
        with conn:
            try:
                while data := conn.recv(1024):
                    conn.sendall(data)
            except ConnectionError:
                pass
"""


def write(folder: Path, source: str, name: str = "program.py") -> Path:
    """The source as a file in the folder."""
    path = folder / name
    path.write_text(dedent(source), encoding="utf-8")
    return path


def alive(path: Path) -> list[str]:
    """The command lines of the processes that name this path."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(str(path) in word for word in words):
            found.append(" ".join(words))
    return found
