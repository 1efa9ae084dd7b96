"""What the servers beside this file have in common: command line, listener, errors, Ctrl-C."""

import argparse
import errno
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import cache

MOST_SOCKETS = 512 if os.name == "nt" else sys.maxsize  # that Windows' select() takes


def open_listener(host, port, backlog):
    """A socket that listens on host and port; OSError if the system does not allow it."""
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, proto)
    try:
        if os.name == "posix":  # restart at once; on Windows it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
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
        use = "127.0.0.1, or 0.0.0.0 for all (the arguments are host and port, in this order)"
        return f"{host} is not an address of this computer: use {use}"
    return f"cannot listen on host {host}, port {port}: {error}"


def port_number(text, least=0):
    """The port in text as a number from least to 65535; an argparse error if it is none."""
    plain = text.isascii() and text.isdigit() and len(text) <= 5
    if not (plain and least <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from {least} to 65535, not {text!r}")
    return int(text)


def parse_arguments(description):
    """What was typed after the program's name: host and port."""
    parser = argparse.ArgumentParser(description=description, epilog="Ctrl-C stops the server.")
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


def listen_and_serve(serve, description, backlog):
    """Listen where the command line says and call serve(listener); 1 if that cannot be."""
    arguments = parse_arguments(description)
    try:
        listener = open_listener(arguments.host, arguments.port, backlog)
    except (OSError, UnicodeError) as error:
        print("error:", explain(error, arguments.host, arguments.port), file=sys.stderr)
        return 1
    with listener:
        host, port = listener.getsockname()[:2]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        print("listening on", where, flush=True)  # a reader in a pipe is waiting for this line
        return serve(listener)


@cache  # says the same thing once, not once a second
def complain(text):
    """Write text to standard error."""
    print(text, file=sys.stderr, flush=True)


def allow_many_sockets():
    """Raise our own limit of open files, often 256 or 1024, as far as the system lets us."""
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def run(serve, description, backlog=128):
    """A server's whole life, until Ctrl-C; the exit code is 0 then, 1 after an error."""
    if os.name == "nt":  # there Ctrl-C would wait until a call for a socket returns
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        sys.exit(listen_and_serve(serve, description, backlog))
    except KeyboardInterrupt:
        sys.exit(0)
