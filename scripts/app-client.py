"""A client of the message server: one request for each word typed, and the replies in order.

    python scripts/app-client.py 127.0.0.1 65432 search port socket
    python scripts/app-client.py 127.0.0.1 65432 text "how are you?"
    python scripts/app-client.py 127.0.0.1 65432 json '{"action": "search", "value": "port"}'
    python scripts/app-client.py 127.0.0.1 65432 numbers 258,7,65536 --byteorder little
    python scripts/app-client.py 127.0.0.1 65432 binary < picture.png > reply.png

All requests go out at once, on one connection, and the client reads while it sends: a server that
nobody reads from stops reading, and then both would wait for ever.
"""

import selectors
import socket
import sys
import time

import calling
from asking import ACTIONS, error_in, requests_for, shown
from contents import LETTERS
from messages import ProtocolError, Reader, encode

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


def send_some(sock, owed):
    """Send what the system takes of owed; all is dropped if the server takes nothing more."""
    try:
        del owed[: sock.send(owed)]
    except BlockingIOError:
        pass
    except ConnectionError:  # there may be a reply to read that says why
        owed.clear()


def exchange(sock, requests, deadline):
    """Send requests, yield the reply to each, in order; TimeoutError at the deadline."""
    reader, owed, due = Reader(), bytearray().join(map(encode, requests)), len(requests)
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, READ | WRITE)
        while due:
            ready = selector.select(max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            if ready[0][1] & WRITE:
                send_some(sock, owed)
                selector.modify(sock, READ | WRITE if owed else READ)
            if ready[0][1] & READ:
                receive(sock, reader)
                while due and (reply := reader.next_message()) is not None:
                    due -= 1
                    yield reply


def receive(sock, reader):
    """Feed reader what has arrived; ConnectionError if the server has left."""
    try:
        data = sock.recv(65536)
    except BlockingIOError:  # woken for nothing
        return
    if not data:
        raise ConnectionAbortedError
    reader.feed(data)


def show(reply):
    """Print a reply, an error on standard error; whether it is what was asked for."""
    if (reason := error_in(reply)) is not None:
        print("error: the server says:", reason, file=sys.stderr)
        return False
    try:
        sys.stdout.buffer.write(shown(reply))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        calling.ignore_output()
        sys.exit(1)
    return True


def parse_arguments():
    """What was typed after the program's name, and the requests that it means."""
    parser = calling.make_parser(
        "Send requests to a message server and print its replies.",
        "binary sends standard input as it is. Ctrl-C ends the client.",
        timeout="how many seconds the whole conversation may take",
        nargs=None,
    )
    parser.add_argument("action", choices=ACTIONS, help="what kind of content each value is")
    parser.add_argument("value", nargs="*", help="one request for each")
    parser.add_argument(
        "--byteorder", choices=LETTERS, default="big", help="of numbers (default: %(default)s)"
    )
    arguments = parser.parse_intermixed_args()
    try:
        stdin = sys.stdin and sys.stdin.buffer
        typed = arguments.action, arguments.value, arguments.byteorder
        return arguments, requests_for(*typed, stdin)
    except ProtocolError as error:
        parser.error(str(error))


def main():
    """Connect, send, print, and return the exit code: 0 if all went well, else 1."""
    arguments, requests = parse_arguments()
    host, port = arguments.host, arguments.port
    deadline = time.monotonic() + arguments.timeout
    try:
        with socket.create_connection((host, port), timeout=arguments.timeout) as sock:
            outcomes = list(map(show, exchange(sock, requests, deadline)))
            return 0 if all(outcomes) else 1
    except ProtocolError as error:
        print("error: the server sent what is no message:", error, file=sys.stderr)
    except (OSError, UnicodeError) as error:
        print("error:", calling.explain(error, host, port), file=sys.stderr)
    return 1


if __name__ == "__main__":
    calling.run(main)
