"""Right: a thread for each client, blocking sockets, and a reader that is a generator."""

import json
import socket
import sys
import threading

FIELDS = {"byteorder": str, "content-type": str, "content-encoding": str, "content-length": int}


class ProtocolError(ValueError):
    """Bytes that are no message."""


def build_message(kind, value, byteorder="big"):
    """A message as bytes; the header's fields in another order, without spaces."""
    if kind == "text/plain":
        content = value.encode()
    elif kind == "text/json":
        content = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    elif kind == "binary/numbers":
        content = b"".join(number.to_bytes(4, byteorder) for number in value)
    else:
        content = bytes(value)
    encoding = "utf-8" if kind.startswith("text/") else "binary"
    header = {"content-length": len(content), "content-encoding": encoding}
    header |= {"content-type": kind, "byteorder": byteorder}
    head = json.dumps(header, separators=(",", ":")).encode()
    return len(head).to_bytes(2, "big") + head + content


def unique(pairs):
    """The pairs as a dict, each name once."""
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ProtocolError("twice")
    return dict(pairs)


def checked(data):
    """The header in data."""
    try:
        header = json.loads(str(data, "utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(str(error) or "no header") from error
    if not isinstance(header, dict) or any(
        type(header.get(f)) is not k for f, k in FIELDS.items()
    ):
        raise ProtocolError("a field is wrong")
    if header["byteorder"] not in ("big", "little"):
        raise ProtocolError("byteorder")
    if header["content-length"] not in range((1 << 20) + 1):
        raise ProtocolError("content-length")
    return header


class MessageReader:
    """Bytes in, messages out."""

    def __init__(self):
        self.data = b""
        self.steps = self.parse()
        self.wanted = next(self.steps)

    def parse(self):
        """Yields how many bytes it wants, or a message."""
        while True:
            size = int.from_bytes((yield 2), "big")
            if not 0 < size <= 4096:
                raise ProtocolError("length of the header")
            header = checked((yield size))
            content = yield header["content-length"]
            yield header, content

    def feed(self, data):
        """Take bytes."""
        self.data += data

    def next_message(self):
        """A message or None."""
        while len(self.data) >= self.wanted:
            piece, self.data = self.data[: self.wanted], self.data[self.wanted :]
            step = self.steps.send(piece)
            if isinstance(step, tuple):
                self.wanted = next(self.steps)
                return step
            self.wanted = step
        return None


def reply(header, content):
    """The reply to a message, as bytes."""
    kind, order = header["content-type"], header["byteorder"]
    try:
        if kind in ("text/plain", "text/json"):
            if header["content-encoding"] not in ("utf-8", "latin-1"):
                raise ValueError("encoding")
            text = content.decode(header["content-encoding"])
            if kind == "text/plain":
                return build_message(kind, text[::-1])
            return build_message(kind, {"result": find(json.loads(text))})
        if kind == "binary/numbers":
            if len(content) % 4:
                raise ValueError("numbers have four bytes")
            fours = [content[at : at + 4] for at in range(0, len(content), 4)]
            return build_message(kind, sorted(int.from_bytes(f, order) for f in fours), order)
        if kind.startswith("binary/"):
            return build_message("binary/reply", content, order)
        raise ValueError("kind")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return build_message("text/json", {"error": f"{type(error).__name__}: {error}"})


def find(request):
    """A word looked up."""
    if request["action"] != "search":
        raise ValueError("action")
    words = {
        "socket": "one end of a connection, as a program holds it",
        "listener": "a socket that only accepts connections",
        "port": "the number that tells one program of a host from another",
        "stream": "bytes in order, without marks between messages",
    }
    return words.get(request["value"], "nothing is known of it")


def serve(conn):
    """One client."""
    reader = MessageReader()
    with conn:
        try:
            while data := conn.recv(1 << 14):
                reader.feed(data)
                try:
                    for header, content in iter(reader.next_message, None):
                        conn.sendall(reply(header, content))
                except ProtocolError as error:
                    conn.sendall(build_message("text/json", {"error": str(error)}))
                    conn.shutdown(socket.SHUT_WR)
                    while conn.recv(1 << 16):
                        pass
                    return
        except OSError as error:
            print("lost:", error, file=sys.stderr)


def main():
    """Serve."""
    with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100) as listener:
        while True:
            conn, _ = listener.accept()
            threading.Thread(target=serve, args=(conn,), daemon=True).start()


if __name__ == "__main__":
    main()
