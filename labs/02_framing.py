"""Lab 02, framing: messages and lines out of a stream that has neither.

Goal
    Functions that are right for every way the bytes may arrive: one at a time, all at once, the
    end of one message together with the beginning of the next.

Write three functions and a class (each hole is marked TODO), in this order
    recv_exactly(conn, size)    The next size bytes. If the stream ends before that: EOFError.
                                Asked for 0 bytes, it returns b"" and does not wait.
    send_message(conn, message) Sends the length of the message as two bytes, the more significant
                                one first, then its bytes. A message may have 0 to 65,535 bytes.
                                A longer one is a ValueError, and nothing of it is sent.
    recv_message(conn)          The next such message. b"" is a message of length 0, not the end.
                                None, each time, when the stream has ended between two messages;
                                EOFError when it ends inside one, its two length bytes included.
    LineReader(conn)            read_line() returns the next line, as soon as its b"\\n" has
                                arrived, with that b"\\n". All other bytes are part of a line,
                                b"\\r" too. What comes after the last b"\\n" is the last line;
                                after it read_line() returns b"", each time.

Run it
    python labs/02_framing.py
    It talks to itself over a connection, and shows three messages and two lines.

Check it
    In a notebook: from socketlab import check; check("02")
    In a terminal: socketlab check 2
    The checks call your functions, each with a connected TCP socket. They hold its other end,
    which the report calls the peer: bytes that come one by one, cut at every place, or all
    together; sockets of which each recv() and send() moves at most 1, 2, 3 or 7 bytes; messages of
    0, 1, 258 and 65,535 bytes; the end of the stream at every place. Four more checks are hidden;
    they want nothing that is not written here.

Good to know
    recv_exactly and recv_message take no byte of what comes next: whoever calls conn.recv() after
    them gets it. A LineReader may receive more than its line, and keeps that for its next call;
    from then on, only it reads this connection. There may be several connections, and a
    LineReader on each: what one of them keeps belongs to no other.
    All of them return bytes: neither text nor a bytearray. None of them closes the connection.
    Pauses do not help: the checks send more, or nothing more, however long you wait.

Not asked for
    Sockets that do not block, time-outs, connections that are reset, a longest line.

Read first: notebook 05. Its section 5 shows most of what is asked here: read it, close the
notebook, and then write.
"""

import socket


def recv_exactly(conn, size):
    """The next size bytes of the stream; EOFError if it ends before them."""
    raise NotImplementedError("TODO: receive until there are size bytes")


def send_message(conn, message):
    """Send two bytes of length and the message; ValueError if it is too long for them."""
    raise NotImplementedError("TODO: send the length, then the message")


def recv_message(conn):
    """The next message; None at the end of the stream, EOFError if that is inside a message."""
    raise NotImplementedError("TODO: receive the length, then the message")


class LineReader:
    """The lines of a connection, one a call, newline included; b"" at the end of the stream."""

    def __init__(self, conn):
        raise NotImplementedError("TODO: keep the connection, and what comes too early")

    def read_line(self):
        """The next line."""
        raise NotImplementedError("TODO: receive until there is a line")


def main():
    """Send messages and lines over a connection, and show what arrives at its other end."""
    sock, conn = socket.socketpair()
    with sock, conn:
        for message in (b"one", b"", b"three"):
            send_message(sock, message)
        sock.sendall(b"a line\nthe last line")
        sock.shutdown(socket.SHUT_WR)
        print("messages:", [recv_message(conn) for _ in range(3)])
        reader = LineReader(conn)
        print("lines:", [reader.read_line() for _ in range(2)])


if __name__ == "__main__":
    main()
