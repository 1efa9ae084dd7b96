"""An echo client: it sends messages to an echo server and prints what comes back.

    python scripts/echo-client.py 127.0.0.1 65432 hello "how are you?"
    python scripts/echo-client.py                 sends what you type, line by line
    seq 3 | python scripts/echo-client.py         sends what comes through the pipe

It reads while it sends. A client that sends everything before it reads works only while that is
little: the server stops reading when nobody takes its answers, and then both sides wait in send()
for ever. So one thread sends, and the main thread reads.
"""

import socket
import sys
import threading
from contextlib import suppress

import calling


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
        except BrokenPipeError:
            calling.ignore_output()
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


def parse_arguments():
    """What was typed after the program's name: host, port, messages, timeout."""
    parser = calling.make_parser(
        "Send messages to an echo server and print what comes back.",
        "Without messages, it sends standard input, and it ends where that ends.",
        timeout="how many seconds to wait for a connection",
    )
    parser.add_argument("message", nargs="*", help="sent as one line, in UTF-8")
    return parser.parse_args()


def main():
    """Connect, converse, and return the exit code: 0, or 1 after an error."""
    arguments = parse_arguments()
    host, port = arguments.host, arguments.port
    chunks = calling.lines(arguments.message) or typed_chunks()
    try:
        with socket.create_connection((host, port), timeout=arguments.timeout) as sock:
            sock.settimeout(None)  # a person may think for as long as it takes
            converse(sock, chunks)
    except (OSError, UnicodeError) as error:
        print("error:", calling.explain(error, host, port), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    calling.run(main)
