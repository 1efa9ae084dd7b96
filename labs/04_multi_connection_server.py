"""Lab 04: an echo server for many clients at a time, in one thread.

Goal
    Whatever a client sends comes back to it, byte for byte, as in lab 01. But now many clients
    are connected at the same time, and none has to wait for another: not for one that is silent,
    that does not read, that sends without end, or that breaks off. There is one thread, and it
    sleeps in select() while there is nothing to do.

Write six functions (each hole is marked TODO)
    make_listener    a listener that does not block
    accept_clients   accept who waits, register each one
    serve_client     echo; an error of one client ends that client only
    echo             send what a client is owed, or else receive, and send that
    hang_up          unregister, then close
    serve_forever    select(), and serve who is ready, round and round

Run it
    python labs/04_multi_connection_server.py 127.0.0.1 65432
    In several other terminals: nc 127.0.0.1 65432. Ctrl-C stops the server; that Python then
    prints KeyboardInterrupt is fine. Port 0 asks the kernel for any free port.

Check it
    In a notebook: from socketlab import check; check("04")
    In a terminal: socketlab check 4
    The checks start your program and talk to it as clients. They look at what comes over the wire
    and count from outside; they do not ask how you do it. They want that
    - it listens where it is told, and can be started again at once on the same port;
    - all bytes of each client come back to that client, in order, however they were cut or glued,
      and nothing else; many clients may be open at once and speak in any order;
    - one thread and one process do it all;
    - it uses no CPU time and does not wake up while nothing happens, with no client, with silent
      ones, and while it waits for a client that does not read;
    - a client that sends first and reads late gets everything; meanwhile nobody else waits;
    - for a client that does not read, your program keeps at most 1 MiB (1,048,576 bytes). Then
      it receives no more from this client, until the client has read. What the kernel's buffers
      hold is not counted;
    - a client that is done sending (a half-close) gets all that it is still owed, and then the
      end of the stream;
    - a client may leave without a word, or reset its connection, also while it is owed bytes: the
      others notice nothing, and no descriptor stays open;
    - Ctrl-C ends it.
    Five more checks are hidden; they want nothing that is not written here.

Good to know
    key.data is yours: None for the listener, the bytes that are owed for a connection. While
    a client is owed something, ask for WRITE and do not receive from it: what you keep for it is
    then never more than one recv() brought.
    A socket that accept() returns blocks, even if the listener does not.
    You may accept until nobody waits any more, or one client for each event: both are right.
    You may also keep one buffer for each client and ask for READ and WRITE together; then one
    event can be both, and the connection may be closed after the first of them.

Not asked for
    Time-outs, a limit on the number of clients, IPv6, other work than the echo. A client that
    sends without end and never reads waits for ever: that is what the limit is for.

Read first: notebooks 08 and 09.
"""

import sys

CHUNK = 65536  # bytes: the most to receive at once


def make_listener(host, port):
    """A non-blocking TCP socket that listens on host and port, also just after a restart."""
    raise NotImplementedError("TODO: make the listener")


def accept_clients(selector, listener):
    """Accept who waits, and register each connection: non-blocking, for READ, nothing owed."""
    raise NotImplementedError("TODO: accept and register")


def serve_client(selector, conn, owed):
    """Echo; if this connection is broken, hang up. "Not now" is no reason to hang up."""
    raise NotImplementedError("TODO: echo, and expect errors")


def echo(selector, conn, owed):
    """Send conn what it is owed, or else what it says now; hang up at its end of the stream."""
    raise NotImplementedError("TODO: send, and keep what is left")


def hang_up(selector, conn):
    """Watch conn no longer, and close it."""
    raise NotImplementedError("TODO: unregister and close")


def serve_forever(listener):
    """Serve everybody who connects, in this thread: whoever is ready is next."""
    raise NotImplementedError("TODO: ask who is ready, and serve them")


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/04_multi_connection_server.py HOST PORT")
    with make_listener(sys.argv[1], int(sys.argv[2])) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
