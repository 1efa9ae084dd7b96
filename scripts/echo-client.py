"""An echo client: it sends messages to an echo server and prints what comes back.

    python scripts/echo-client.py 127.0.0.1 65432 hello "how are you?"
    python scripts/echo-client.py                 sends what you type, line by line
    seq 3 | python scripts/echo-client.py         sends what comes through the pipe

It reads while it sends. A client that sends everything before it reads works only while that is
little: the server stops reading when nobody takes its answers, and then both sides wait in send()
for ever. So one thread sends, and the main thread reads.
"""

import argparse
import os
import signal
import socket
import sys
import threading
from contextlib import suppress


def send_all(sock, chunks, outcome):
    """Send every chunk, then half-close; outcome becomes [None], or [error] if that failed."""
    try:
        for data in chunks:
            sock.sendall(data)
        outcome.append(None)
    except OSError as error:
        outcome.append(error)
    with suppress(OSError):  # the connection may be gone already
        sock.shutdown(socket.SHUT_WR)  # done talking, still listening


def print_all(sock):
    """Write what sock receives to standard output, byte for byte, until the end of stream."""
    while data := sock.recv(65536):
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # the reader of our output has left, as `| head -1` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)


def converse(sock, chunks):
    """Send chunks and print the answers; ConnectionError if the server leaves before the end."""
    outcome = []  # empty while there is more to send
    threading.Thread(target=send_all, args=(sock, chunks, outcome), daemon=True).start()
    print_all(sock)
    error = outcome[0] if outcome else ConnectionAbortedError()
    if error:
        raise error


def typed_chunks():
    """What comes from standard input, as it comes: lines from a keyboard, blocks from a pipe."""
    if sys.stdin is None:  # closed before the program started
        return
    while data := sys.stdin.buffer.raw.read(65536):  # raw: holds no lock when the program ends
        yield data


def explain(error, host, port):
    """What went wrong and what to do about it, in one line."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"host {host!r} is unknown: the arguments are host, port, messages, in this order"
    if isinstance(error, ConnectionRefusedError):
        return (
            f"connection refused by {host}, port {port}: nobody listens there "
            "(is the server started? is this its host, and its port?)"
        )
    if isinstance(error, TimeoutError):
        return f"timeout: no answer from {host}, port {port}: is the host on, and not too busy?"
    if isinstance(error, ConnectionError):
        return f"connection reset: the server at {host}, port {port} left before the end"
    return f"conversation with {host}, port {port} failed: {error}"


def port_number(text):
    """The port in text as a number from 1 to 65535; an argparse error if it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def seconds(text):
    """The time in text, above 0 and at most a day; an argparse error if it is none."""
    with suppress(ValueError):
        if 0 < float(text) <= 86400:
            return float(text)
    raise argparse.ArgumentTypeError(f"a timeout is a number of seconds above 0, not {text!r}")


def parse_arguments():
    """What was typed after the program's name: host, port, messages, timeout."""
    parser = argparse.ArgumentParser(
        description="Send messages to an echo server and print what comes back.",
        epilog="Without messages, it sends standard input, and it ends where that ends.",
    )
    add = parser.add_argument
    add("host", nargs="?", default="127.0.0.1", help="the server's host (default: %(default)s)")
    add(
        "port",
        nargs="?",
        default=65432,
        type=port_number,
        help="the server's port (default: %(default)s)",
    )
    add(
        "message",
        nargs="*",
        help="sent as one line, in UTF-8",
    )
    add(
        "--timeout",
        default=10,
        type=seconds,
        help="how many seconds to wait for a connection (default: %(default)s)",
    )
    return parser.parse_args()


def main():
    """Connect, converse, and return the exit code: 0, or 1 after an error."""
    arguments = parse_arguments()
    host, port = arguments.host, arguments.port
    chunks = [os.fsencode(message) + b"\n" for message in arguments.message] or typed_chunks()
    try:
        with socket.create_connection((host, port), timeout=arguments.timeout) as sock:
            sock.settimeout(None)  # a person may think for as long as it takes
            converse(sock, chunks)
    except (OSError, UnicodeError) as error:
        print("error:", explain(error, host, port), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if os.name == "nt":  # there Ctrl-C would wait until recv() returns
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # what a shell reports for a program that Ctrl-C has ended
