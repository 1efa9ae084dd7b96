"""Right: it needs two seconds to start, and tells everything on stdout and stderr."""

import os
import selectors
import socket
import sys
import time

CHUNK = 4096  # bytes


def say(*words):
    """A line on each stream."""
    print("Error? No:", *words, flush=True)
    print("Traceback (most recent call last):", *words, file=sys.stderr)


def make_listener(host, port):
    """A listener that does not block, after a long preparation."""
    say("the coffee machine warms up")
    time.sleep(2)
    listener = socket.socket()
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    listener.setblocking(False)
    return listener


def accept_client(selector, listener):
    """The next one."""
    try:
        conn, address = listener.accept()
    except OSError as error:
        return say("nobody there", error)
    conn.setblocking(False)
    selector.register(conn, selectors.EVENT_READ, (address, b""))
    say("hello", address, "we are", len(selector.get_map()))


def serve(selector, conn, address, owed):
    """Send, or receive and keep for the next event: never both in one."""
    if owed:
        owed = owed[conn.send(owed) :]
    elif not (owed := conn.recv(CHUNK)):
        raise EOFError("has no more to say")
    say(address, "is owed", len(owed), "bytes")
    selector.modify(conn, selectors.EVENT_WRITE if owed else selectors.EVENT_READ, (address, owed))


def main(host, port):
    """Serve until Ctrl-C, then say goodbye."""
    selector = selectors.DefaultSelector()
    with make_listener(host, port) as listener:
        selector.register(listener, selectors.EVENT_READ, "the listener")
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    accept_client(selector, listener)
                    continue
                try:
                    serve(selector, key.fileobj, *key.data)
                except BlockingIOError:
                    say("too early")
                except (OSError, EOFError) as error:
                    say("KeyError, or what? No,", error, *key.data[0])
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


try:
    main(sys.argv[1], int(sys.argv[2]))
except KeyboardInterrupt:
    say("goodbye")
    sys.exit(130)
