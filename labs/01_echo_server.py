"""Lab 01: an echo server that serves one client after another, for ever.

Goal
    Whatever a client sends comes back to it, byte for byte. When the client has no more to say,
    the server closes the connection and serves the next client. It never stops by itself.

Write two functions (each hole is marked TODO)
    make_listener   socket, setsockopt, bind, listen
    serve_forever   accept, recv, sendall, close, round and round

Run it
    python labs/01_echo_server.py 127.0.0.1 65432
    In a second terminal: nc 127.0.0.1 65432. Ctrl-C stops the server; that Python then prints
    KeyboardInterrupt is fine. Port 0 asks the kernel for any free port.

Check it
    In a notebook: from socketlab import check; check("01")
    In a terminal: socketlab check 1
    The checks start your program and talk to it as clients: that it listens where it is told and
    nowhere else; that messages of every length and of all 256 byte values come back, and nothing
    else; that each client gets the end of the stream, however the one before it left; that it
    can be restarted at once on the same port; that it leaks no descriptor and is idle while
    nobody talks. Three more checks are hidden; they want nothing that is not written here.

Good to know
    SO_REUSEADDR is what lets a server restart at once on Linux and macOS. On Windows leave it
    out (os.name is "posix" on the other two): there it would let two servers share one port.
    Write the socket calls by hand here; socket.create_server does the same in one line.

Not asked for
    Several clients at the same time, time-outs, IPv6, text: bytes go back as they came.

Read first: notebooks 01, 02 and 03.
"""

import sys


def make_listener(host, port):
    """A TCP socket that listens on host and port, even if a server was just stopped there."""
    raise NotImplementedError("TODO: make the listener")


def serve_forever(listener):
    """Serve one client after another: send back what each one sends, until it has no more."""
    raise NotImplementedError("TODO: serve the clients")


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/01_echo_server.py HOST PORT")
    with make_listener(sys.argv[1], int(sys.argv[2])) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
