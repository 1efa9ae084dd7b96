"""Runs in a process of the learner's own: imports one file and does what the checks ask of it.

python -I shim.py FILE HOST PORT: connects to HOST:PORT, reads one request a line, answers each.
Standard library only; it knows no check and no wanted value. What the shim itself does goes
through `_socket.socket`, the class below `socket.socket`: what the learner's file changes there,
and who records its calls, has nothing to do with it.
"""

import _socket
import contextlib
import importlib.util
import inspect
import json
import linecache
import socket
import sys
import time
import tokenize


class CappedSocket(socket.socket):
    """A socket whose recv() and send() move at most `cap` bytes at a time."""

    cap = 0

    def recv(self, bufsize, *flags):
        """At most `cap` bytes."""
        return super().recv(min(bufsize, self.cap), *flags)

    def recv_into(self, buffer, nbytes=0, flags=0):
        """At most `cap` bytes."""
        size = nbytes or memoryview(buffer).nbytes
        return super().recv_into(buffer, min(size, self.cap), flags)

    def send(self, data, *flags):
        """At most `cap` bytes; how many it was."""
        return super().send(memoryview(data).cast("B")[: self.cap], *flags)

    def sendmsg(self, buffers, *rest):
        """At most `cap` bytes; how many it was."""
        return super().sendmsg([b"".join(map(bytes, buffers))[: self.cap]], *rest)


def refuse_unreadable(path):
    """SyntaxError if Python would not run this file by its name: whether it imports one with such
    bytes in a comment, or what it says of it, differs from version to version."""
    with open(path, "rb") as file:
        encoding = "utf-8"
        with contextlib.suppress(SyntaxError):  # Python itself says of an unknown encoding
            encoding, _ = tokenize.detect_encoding(file.readline)
        file.seek(0)
        for number, line in enumerate(file, 1):
            if b"\0" in line:
                raise SyntaxError(f"null bytes in file {path} on line {number}")
            try:
                line.decode(encoding if encoding.startswith("utf-8") else "latin-1")
            except UnicodeDecodeError as error:
                what = f"Non-UTF-8 code starting with {chr(line[error.start])!a}"
                raise SyntaxError(f"{what} in file {path} on line {number}") from None


class Shim:
    """The learner's module, and what the checks hold of it by number."""

    def __init__(self, path):
        self.held = {}
        spec = importlib.util.spec_from_file_location("lab", path)
        self.module = importlib.util.module_from_spec(spec)
        sys.modules["lab"] = self.module
        refuse_unreadable(path)
        spec.loader.exec_module(self.module)

    def answer(self, request):
        """What a request comes to: {"value": ...} or {"error": ...}."""
        return getattr(self, "do_" + request["do"])(request)

    def do_names(self, request):
        """The functions and classes that the file itself defines."""
        named = vars(self.module).items()
        return {"value": pack([n for n, v in named if getattr(v, "__module__", "") == "lab"])}

    def do_connect(self, request):
        """A socket that is connected to the checks."""
        kind = CappedSocket if request["cap"] else socket.socket
        sock = kind(socket.AF_INET, socket.SOCK_STREAM)
        if request["cap"]:
            sock.cap = request["cap"]
        if request["small"]:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, request["small"])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, request["small"])
        sock.connect((request["host"], request["port"]))
        sock.settimeout(request["timeout"])
        self.held[request["id"]] = sock
        return {"value": pack(None)}

    def do_call(self, request):
        """Call a function of the module, or a method of a thing that is held."""
        if request["on"]:
            function = getattr(self.held[request["on"]], request["name"], None)
        else:
            function = getattr(self.module, request["name"], None)
        if function is None:
            return {"missing": request["name"]}
        args = [self.unpack(each) for each in request["args"]]
        named = {name: self.unpack(each) for name, each in request["named"].items()}
        if wrong := misfit(function, args, named):
            return {"misfit": wrong}
        try:
            value = function(*args, **named)
        except (Exception, SystemExit) as error:  # but not Ctrl-C
            return {"error": described(error, self.module.__file__)}
        if request["keep"]:
            self.held[request["keep"]] = value
            return {"value": pack(type(value).__name__)}
        return {"value": pack(value)}

    def do_get(self, request):
        """An attribute of a thing that is held."""
        try:
            return {"value": pack(getattr(self.held[request["on"]], request["name"]))}
        except AttributeError:
            return {"missing": request["name"]}

    def do_peek(self, request):
        """Wait until so many bytes can be read, and leave them there."""
        sock = self.held[request["on"]]
        before = sock.gettimeout()
        sock.settimeout(None)
        count = request["nbytes"]
        while len(_socket.socket.recv(sock, count, socket.MSG_PEEK)) < count:
            time.sleep(0.001)  # there is a way to wait for the first byte, none for the last
        sock.settimeout(before)
        return {"value": pack(None)}

    def do_unread(self, request):
        """What has arrived and was not read."""
        sock = self.held[request["on"]]
        if sock.fileno() < 0:  # closed by the function
            return {"value": pack(None)}
        before, data = sock.gettimeout(), b""
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # nothing more is there, or it was closed
            while piece := _socket.socket.recv(sock, 65536):
                data += piece
        sock.settimeout(before)
        return {"value": pack(data)}

    def do_finish(self, request):
        """Say to the peer that nothing more is sent."""
        with contextlib.suppress(OSError):  # it was closed: the peer knows already
            _socket.socket.shutdown(self.held[request["on"]], socket.SHUT_WR)
        return {"value": pack(None)}

    def unpack(self, packed):
        """A value from JSON; a thing that is held, by its number."""
        kind, value = packed
        if kind == "held":
            return self.held[value]
        if kind in ("list", "tuple"):
            return {"list": list, "tuple": tuple}[kind](map(self.unpack, value))
        if kind == "dict":
            return {self.unpack(k): self.unpack(v) for k, v in value}
        return plain(kind, value)


def plain(kind, value):
    """A value that holds no other."""
    if kind in ("bytes", "bytearray"):
        return {"bytes": bytes, "bytearray": bytearray}[kind].fromhex(value)
    if kind == "float":
        return float.fromhex(value)
    if kind == "int":
        return int(value, 16)
    return value


def pack(value, depth=0):
    """[type, value] as JSON can carry it; ["other", type, repr] for what is no plain value."""
    kind = type(value)
    if kind in (bytes, bytearray):
        return [kind.__name__, value.hex()]
    if kind is float:
        return ["float", value.hex()]
    if kind is int:
        return ["int", hex(value)]
    if kind in (bool, str, type(None)):
        return [kind.__name__, value]
    if kind in (list, tuple) and depth < 50:
        return [kind.__name__, [pack(each, depth + 1) for each in value]]
    if kind is dict and depth < 50:
        return ["dict", [[pack(k, depth + 1), pack(v, depth + 1)] for k, v in value.items()]]
    return ["other", kind.__name__]


def misfit(function, args, named):
    """Why a function cannot be called like this; "" if it can, or if nobody can tell."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(*args, **named)
    except TypeError:
        return str(signature)
    return ""


def described(error, path):
    """An exception: its name, the names of its bases, its words, and where in the file it was."""
    line, function, traceback = 0, "", error.__traceback__
    while traceback:
        if traceback.tb_frame.f_code.co_filename == path:
            line, function = traceback.tb_lineno, traceback.tb_frame.f_code.co_name
        traceback = traceback.tb_next
    bases = [kind.__name__ for kind in type(error).__mro__]
    said = {"bases": bases, "words": str(error)[:500], "line": line, "function": function}
    return {**said, "code": linecache.getline(path, line).strip()}


def main():
    """Serve the checks until they leave."""
    path, host, port = sys.argv[1:]
    sys.argv[:] = [path]
    control = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    control.connect((host, int(port)))
    shim = Shim(path)
    dump = json.dumps  # the learner's file may change what the module has
    for line in lines_of(control):
        control.sendall(dump(shim.answer(json.loads(line))).encode("ascii") + b"\n")


def lines_of(control):
    """The lines that come on a connection."""
    data = b""
    while piece := control.recv(1 << 20):
        *lines, data = (data + piece).split(b"\n")
        yield from lines


if __name__ == "__main__":
    main()
