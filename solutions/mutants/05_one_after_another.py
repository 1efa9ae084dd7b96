"""Mistake: one conversation after another, in the blocking way of notebook 01.

Caught by: test_all_at_once
Says: did not come in time
Diagnosed as: has one conversation after another
"""

import socket
import sys
from dataclasses import dataclass


@dataclass
class Talk:
    """One conversation: with whom, what is sent, how far it is, and what came of it."""

    address: tuple
    message: bytes
    connected: bool = False
    sent: int = 0
    reply: bytes = b""
    error: str = ""  # the name of the error that ended it


def talk_to(talk, timeout):
    """One whole conversation."""
    with socket.create_connection(talk.address, timeout) as sock:
        sock.sendall(talk.message)
        sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            talk.reply += data


def converse(talks, timeout):
    """Have all talks, at most timeout seconds: then each has its reply or its error."""
    for talk in talks:
        try:
            talk_to(talk, timeout)
        except OSError as error:
            talk.error = type(error).__name__


def main():
    """Talk to each port given on the command line, and tell what came of it."""
    if len(sys.argv) < 5:
        usage = "HOST TIMEOUT LINES PORT [PORT ...]"
        sys.exit(f"usage: python labs/05_multi_connection_client.py {usage}")
    host, timeout, lines = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    talks = []
    for number, port in enumerate(sys.argv[4:], 1):
        talks.append(Talk((host, int(port)), b"I am connection %d\n" % number * lines))
    converse(talks, timeout)
    for number, talk in enumerate(talks, 1):
        print(f"connection {number}:", talk.error or f"{len(talk.reply)} bytes {talk.reply[:40]}")
    sys.exit(1 if any(talk.error for talk in talks) else 0)


if __name__ == "__main__":
    main()
