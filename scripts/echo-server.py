"""An echo server: it sends back whatever a client sends, one client after another.

    python scripts/echo-server.py                 on 127.0.0.1, port 65432
    python scripts/echo-server.py 127.0.0.1 0     on a port that the system chooses
    python scripts/echo-server.py ::1             on IPv6

While one client is connected, the next one waits in the accept queue. Ctrl-C stops the server.
"""

import argparse
import errno
import os
import signal
import socket
import sys
from contextlib import suppress


def serve_one(conn):
    """Send back whatever conn receives, until its end of stream or until it breaks."""
    try:
        while data := conn.recv(65536):
            conn.sendall(data)
    except OSError as error:  # this client is gone, but the next one is waiting
        print(f"a client broke off: {error}", file=sys.stderr)


def serve_forever(listener):
    """Serve one client after another."""
    while True:
        with suppress(ConnectionError):  # not Linux: accept() says that a client left the queue
            conn, _ = listener.accept()
            with conn:
                serve_one(conn)


def open_listener(host, port):
    """A socket that listens on host and port; OSError if the system does not allow it."""
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, proto)
    try:
        if os.name == "posix":  # restart at once; on Windows it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def explain(error, host, port):
    """What went wrong and what to do about it, in one line."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"host {host!r} is unknown: use an address of this computer, such as 127.0.0.1"
    if isinstance(error, PermissionError):
        return f"no permission for port {port}: choose one from 1024 to 65535"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: stop the program that has it, or choose another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this computer: use 127.0.0.1, or 0.0.0.0 for all"
    return f"cannot listen on host {host}, port {port}: {error}"


def port_number(text):
    """The port in text as a number from 0 to 65535; an argparse error if it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def parse_arguments():
    """What was typed after the program's name: host and port."""
    parser = argparse.ArgumentParser(
        description="Send back whatever a client sends, one client after another.",
        epilog="Ctrl-C stops the server.",
    )
    parser.add_argument(
        "host", nargs="?", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "port",
        nargs="?",
        default=65432,
        type=port_number,
        help="port to listen on; 0: the system chooses (default: %(default)s)",
    )
    return parser.parse_args()


def main():
    """Listen and serve until Ctrl-C; 0 then, 1 after an error."""
    arguments = parse_arguments()
    try:
        listener = open_listener(arguments.host, arguments.port)
    except (OSError, UnicodeError) as error:
        print("error:", explain(error, arguments.host, arguments.port), file=sys.stderr)
        return 1
    with listener:
        host, port = listener.getsockname()[:2]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        print("listening on", where, flush=True)  # a reader in a pipe is waiting for this line
        serve_forever(listener)


if __name__ == "__main__":
    if os.name == "nt":  # there Ctrl-C would wait until accept() or recv() returns
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
