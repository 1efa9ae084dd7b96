"""Mistake: a thread for each conversation.

Caught by: test_one_thread
Says: more than one thread
Diagnosed as: starts threads
"""

import socket
import sys
import threading
import time
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


def talk_to(talk, deadline):
    """One whole conversation, in a thread of its own."""
    try:
        with socket.create_connection(talk.address, deadline - time.monotonic()) as sock:
            sender = threading.Thread(target=send_all, args=(sock, talk), daemon=True)
            sender.start()
            while True:
                sock.settimeout(max(0.01, deadline - time.monotonic()))
                if not (data := sock.recv(65536)):
                    break
                talk.reply += data
    except OSError as error:
        talk.error = type(error).__name__


def send_all(sock, talk):
    """Send while somebody else reads."""
    try:
        sock.sendall(talk.message)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def converse(talks, timeout):
    """Have all talks at once, at most timeout seconds: then each has its reply or its error."""
    deadline = time.monotonic() + timeout
    threads = [threading.Thread(target=talk_to, args=(talk, deadline)) for talk in talks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


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
