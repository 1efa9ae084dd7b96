"""Lab 03: a server with a thread for each client, and one number that all threads share.

Goal
    Clients send lines. The server answers each line with its number and the line itself: the
    first line that it gets is number 1, the next one number 2, and so on, whichever client sent
    it. So `hello` may be answered with `17 hello`. Each number is given once, and none is left
    out. Every client has a thread of its own, so nobody waits for anybody else.

Write one method and two functions (each hole is marked TODO)
    Counter.count   one more: its number (the class also needs somewhere to keep it)
    serve_client    read lines, answer each one, close: the conversation with one client
    serve_forever   accept, start a thread, round and round; return at Ctrl-C

On the wire
    A line is any bytes up to b"\\n", the newline included; b"\\n" alone is a line, too. The answer
    to b"hello\\n" is b"1 hello\\n": number, space, and the line as it came. The answers to one
    client come in the order of its lines. When the client has no more to say, it gets the
    answers that are due, and then the end of the stream. What comes after the last newline is
    not a line: it is not answered and not counted.

Run it
    python labs/03_threaded_server.py 127.0.0.1 65432
    In two more terminals: nc 127.0.0.1 65432. Ctrl-C ends the server at once, with exit code 0,
    although clients are connected: serve_forever catches KeyboardInterrupt and returns, and no
    thread keeps the program alive.

Check it
    In a notebook: from socketlab import check; check("03")
    In a terminal: socketlab check 3
    The checks talk to your program as clients: they send lines in one piece, in many, and
    several at once (the longest has 50,000 bytes), and they talk with fifty clients at a time.
    A client that says nothing, half a line only, or never reads its answers must not keep the
    others waiting, and one that resets its connection must not harm them. After many clients no
    more threads and descriptors are left than before. At Ctrl-C the program ends, and it can be
    started again on the same port. For one check your program is made to change from one thread
    to another between any two of its steps, so that an update is lost if it can be. Three more
    checks are hidden; they want nothing that is not written here.

Good to know
    One recv() may bring a part of a line, or several lines: notebook 05 has a LineReader, and
    conn.makefile("rb") makes one for you. sendall() waits when a client does not read; a lock
    that is held meanwhile stops all who need it. daemon=True lets a program end although a
    thread still runs; a thread can also be ended with shutdown() on its socket.
    Do not join() threads whose clients may stay: that waits for the clients.

Not asked for
    A limit on clients or on the length of a line, time-outs, text: lines are bytes.

Read first: notebooks 05, 06 and 07.
"""

import socket
import sys


class Counter:
    """Gives out 1, 2, 3, ...: each number once, however many threads ask."""

    def count(self):
        """One more: its number."""
        raise NotImplementedError("TODO: count, for many threads")


def serve_client(conn, counter):
    """Answer each line with its number and itself, until the client has no more to say."""
    raise NotImplementedError("TODO: talk with one client")


def serve_forever(listener):
    """Serve each client in a thread of its own, all with one counter. Return at Ctrl-C."""
    raise NotImplementedError("TODO: accept, and start threads")


def main():
    """Serve on the host and port given on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python labs/03_threaded_server.py HOST PORT")
    with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
        serve_forever(listener)


if __name__ == "__main__":
    main()
