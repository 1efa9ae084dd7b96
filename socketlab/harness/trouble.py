"""What a program wrote when it stopped, and what that means. Text in, text out: no processes."""

from __future__ import annotations

import errno
import re
import signal
from dataclasses import dataclass

CANNOT_READ = "Python cannot read the file"
LINE = 160  # characters of a line of output that are shown
_FRAME = re.compile(r'^\s*File "(?P<path>.+)", line (?P<line>\d{1,9})(?:, in (?P<function>.+))?$')
_ERROR = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<words>.*))?$")
_THREAD = re.compile(
    r"^Exception (?:in thread|(?:happened|occurred) during processing) .*\n", re.MULTILINE
)
_TRACEBACK = "Traceback (most recent call last):"
_PLACE = re.compile(r'^  File "(.+)", line (\d{1,9}) in (.+)$', re.MULTILINE)
_NUMBER = re.compile(r"^\[(?:Errno|WinError) (\d{1,9})\]")


@dataclass(frozen=True, slots=True)
class Crash:
    """The end of a traceback: the error, and the last line of the program's own file in it."""

    type: str
    words: str
    line: int
    function: str
    code: str

    @property
    def number(self) -> int:
        """The errno of an OSError; 0 if the error carries none."""
        match = _NUMBER.match(self.words)
        return int(match[1]) if match else 0

    @property
    def place(self) -> str:
        """Where it was, in words: `line 12, in serve_forever`."""
        inside = self.function not in ("", "<module>")
        return f"line {self.line}" + (f", in {self.function}" if inside else "")


def read_crash(stderr: str, path: str) -> Crash | None:
    """The last traceback in `stderr` that passes through the file `path`; None if there is none.

    A syntax error counts too: Python shows its line in the same way.
    """
    lines = stderr.splitlines()
    frames = [(i, match) for i, text in enumerate(lines) if (match := _FRAME.match(text))]
    own = [(i, match) for i, match in frames if match["path"] == path]
    if not own:
        return _not_utf8(lines[-1], path) if lines else None
    last, at = own[-1]
    after = lines[last + 1 :]
    code = after[0].strip() if after and after[0].startswith("    ") else ""
    error = next(filter(None, map(_ERROR.match, after)), None)
    if error is None:
        return None
    words, function = error["words"] or "", at["function"] or ""
    return Crash(error["type"], words, int(at["line"]), function, code)


def read_thread_crash(stderr: str, path: str) -> Crash | None:
    """The last traceback of a thread (or of a handler of socketserver) that is not about a lost
    connection; None if there is none. Its line is 0 if it never came into the file `path`."""
    found = None
    for text in _THREAD.split(stderr)[1:]:
        block = _TRACEBACK.join(text.split(_TRACEBACK)[:2])  # what comes next is another's
        errors = list(filter(None, map(_ERROR.match, block.splitlines()[1:])))
        last = Crash(errors[-1]["type"], errors[-1]["words"] or "", 0, "", "") if errors else None
        crash = read_crash(block, path) or last
        found = crash if crash and crash.number not in _LOST else found
    return found


def read_places(stderr: str, path: str) -> list[tuple[int, str]]:
    """(line, function) where each thread is in the file `path`, the main thread first: what
    faulthandler wrote, which shows the main thread last."""
    places = []
    for text in re.split(r"^(?:Current thread|Thread) 0x.*\n", stderr, flags=re.MULTILINE)[1:]:
        frames = _PLACE.findall(text)
        places += [(int(line), name) for file, line, name in frames if file == path][:1]
    return places[::-1]


def _not_utf8(last_line: str, path: str) -> Crash | None:
    """What Python, or the shim, says without a place in the file: it cannot be decoded."""
    match = re.match(
        rf"SyntaxError: (Non-UTF-8 .*|null bytes) in file {re.escape(path)} on line (\d{{1,9}})",
        last_line,
    )
    return Crash("SyntaxError", match[1], int(match[2]), "", "") if match else None


# Winsock has numbers of its own for the same mistakes.
ADDRESS_IN_USE = {errno.EADDRINUSE, 10048}

_LOST = {errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, 10053, 10054}  # by the client

_NUMBERED: tuple[tuple[set[int], str, str], ...] = (
    (
        ADDRESS_IN_USE,
        "",
        "The port is taken. Another program listens on it, or the port still remembers a "
        "connection that this server closed (TIME_WAIT). Against the second, set SO_REUSEADDR "
        "before bind().",
    ),
    (
        {errno.EADDRNOTAVAIL, 10049},
        "",
        "bind() was given an address that this machine does not have.",
    ),
    (
        {errno.EINVAL, 10022},
        "accept",
        "accept() needs a socket that listens. Is it the listener? Then call listen() first. A "
        "connection cannot accept.",
    ),
    (
        {errno.ENOTCONN, 10057},
        "shutdown",
        "Nobody is at the other end any more: the peer has reset the connection. close() needs no "
        "shutdown() before it; where you need one, expect this error.",
    ),
    (
        {errno.ENOTCONN, 10057},
        "",
        "This socket has no peer. A listening socket only accepts: use the new socket that "
        "accept() returned to talk to the client.",
    ),
    (
        _LOST,
        "",
        "The other side left in the middle of the conversation. That is normal: catch this error, "
        "close that connection and go on with the next one.",
    ),
    (
        {errno.EBADF, 10038},
        "",
        "This socket is closed already: a close(), or the end of a with block, came too early.",
    ),
    (
        {errno.EOPNOTSUPP, 10045},
        "listen",
        "Only a stream socket can listen: make it with SOCK_STREAM.",
    ),
    ({errno.EMFILE}, "", "No descriptor is left: close each connection when its client is done."),
)

_PAIR = "This is a pair. accept() returns two things: the new socket, and the client's address."
_ADDRESS = "An address is one value, a pair: (host, port)."
_KEYS = "select() of a selector returns pairs: a key, and what its socket is ready for."
_NO_BYTES = "Sockets carry nothing but bytes, and this is of another type."
_NUMBER_ONLY = "This is a number. The socket of a key is key.fileobj; key.fd is its descriptor."

_TYPED: tuple[tuple[str, str, str], ...] = (
    ("EOFError", "input", "Nobody types here: the program must not call input()."),
    ("UnicodeDecodeError", "", "Not all bytes are text. Send back bytes; do not decode them."),
    ("TypeError", "exactly one argument", _ADDRESS),
    ("TypeError", "create_server() takes 1 positional argument", _ADDRESS),
    (
        "TypeError",
        "argument after * must be an iterable",
        "args of Thread() is a tuple, and a tuple of one has a comma: (conn,).",
    ),
    ("TypeError", "interpreted as an integer", "A port is a number, not text: use int()."),
    ("TypeError", "'NoneType' object", "This value is None: does a function lack its return?"),
    ("TypeError", "'tuple' object", _PAIR),
    ("AttributeError", "'tuple' object has no attribute 'data'", _KEYS),
    ("AttributeError", "'tuple' object has no attribute 'fileobj'", _KEYS),
    ("AttributeError", "'tuple' object", _PAIR),
    ("AttributeError", "'SelectorKey' object", "The socket of a key is key.fileobj."),
    ("AttributeError", "'int' object has no attribute 'recv'", _NUMBER_ONLY),
    ("AttributeError", "'int' object has no attribute 'send'", _NUMBER_ONLY),
    ("AttributeError", "'int' object has no attribute 'close'", _NUMBER_ONLY),
    ("NameError", "", "Python does not know this name: is it spelled right, and imported?"),
    ("TypeError", "bytes-like object is required, not 'int'", _NO_BYTES),
    ("TypeError", "bytes-like object is required, not 'tuple'", _NO_BYTES),
    ("TypeError", "bytes-like object is required, not 'NoneType'", _NO_BYTES),
    ("TypeError", "bytes-like object", "Sockets carry bytes, not text: b'...', not '...'."),
    ("IndexError", "", 'At the end of the stream recv() returns b"", which has no first byte.'),
    ("IndentationError", "", f"{CANNOT_READ}: look at the spaces of this line."),
    ("TabError", "", f"{CANNOT_READ}: it mixes tabs and spaces."),
    ("SyntaxError", "Non-UTF-8", f"{CANNOT_READ}: save it in the encoding UTF-8."),
    ("SyntaxError", "null bytes", f"{CANNOT_READ}: save it as plain text, in UTF-8."),
    ("SyntaxError", "", f"{CANNOT_READ}: look at this line and the one above it."),
    ("ModuleNotFoundError", "", "This module is not there. The lab needs Python's own only."),
)


def crash_meaning(crash: Crash) -> str:
    """One sentence or two for an error that beginners meet often; "" for any other."""
    for numbers, word, meaning in _NUMBERED:
        if crash.number in numbers and word in crash.code:
            return meaning
    for kind, word, meaning in _TYPED:
        if crash.type == kind and word in crash.code + crash.words:
            return meaning
    return ""


def is_explained(text: str) -> bool:
    """Whether a text of crash_text() ends with what the error means: more words would distract."""
    meanings = [meaning for _, _, meaning in (*_NUMBERED, *_TYPED)]
    return any(text.endswith(meaning) for meaning in meanings) or " still to be written: " in text


def crash_text(crash: Crash, who: str = "Your program") -> str:
    """Where the program (or a thread of it) stopped, the line, the error, and what it means."""
    if crash.type == "NotImplementedError" and "TODO" in crash.words:
        return f"Line {crash.line} is still to be written: {crash.words}"
    head = f"{who} stopped at {crash.place}:" if crash.line else f"{who} could not begin:"
    error = crash.type + (f": {crash.words}" if crash.words else "")
    shown = [head, *(f"    {text}" for text in (crash.code, error) if text)]
    meaning = crash_meaning(crash)
    return "\n".join([*shown, meaning] if meaning else shown)


def exit_text(code: int) -> str:
    """How a process ended, in words: an exit code, or (below zero) a signal."""
    if code >= 0:
        return f"Your program ended by itself, with exit code {code}."
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"Your program was ended by {name}."


def last_lines(text: str, count: int = 5) -> str:
    """The last non-empty lines of what a program wrote, short and safe for any terminal."""
    lines = [_short(_safe(line)) for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:])


def _short(line: str) -> str:
    return line if len(line) <= LINE else line[: LINE - 4] + " ..."


def _safe(line: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
