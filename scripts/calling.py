"""What the clients beside this file have in common: command line, errors, Ctrl-C."""

import argparse
import os
import signal
import socket
import sys
from contextlib import suppress

import serving


def port_number(text):
    """The port in text as a number from 1 to 65535; an argparse error if it is none."""
    return serving.port_number(text, least=1)


def seconds(text):
    """The time in text, above 0 and at most a day; an argparse error if it is none."""
    with suppress(ValueError):
        if 0 < float(text) <= 86400:
            return float(text)
    raise argparse.ArgumentTypeError(f"a timeout is a number of seconds above 0, not {text!r}")


def count(text):
    """The number of connections in text, from 1 to 99,999; an argparse error if it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text)):
        raise argparse.ArgumentTypeError(f"give a number from 1 to 99999, not {text!r}")
    return int(text)


def lines(messages):
    """Each message that was typed as the bytes of a line."""
    return [os.fsencode(message) + b"\n" for message in messages]


def make_parser(description, epilog, timeout, nargs="?"):
    """A parser for host, port and --timeout; timeout says what is waited for so long.

    With nargs=None, host and port have to be typed: where other words must follow them.
    """
    parser = argparse.ArgumentParser(description=description, epilog=epilog)
    add = parser.add_argument
    default = " (default: %(default)s)" if nargs else ""
    add("host", nargs=nargs, default="127.0.0.1", help=f"the server's host{default}")
    add("port", nargs=nargs, default=65432, type=port_number, help=f"the server's port{default}")
    add("--timeout", default=10, type=seconds, help=f"{timeout} (default: %(default)s)")
    return parser


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


def ignore_output():
    """Drop what is printed from now on: the reader of our output has left, as `| head -1` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text):
    """Print a line now; SystemExit with code 1 if nobody reads our output any more."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        ignore_output()
        sys.exit(1)


def run(main):
    """A client's whole life; the exit code is main()'s, or 130 after Ctrl-C, as in a shell."""
    if os.name == "nt":  # there Ctrl-C would wait until a call for a socket returns
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
