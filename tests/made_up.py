"""Conversations made up by hand, for tests of what is drawn from them. Times in ms."""

from __future__ import annotations

from socketlab.conversation import Arrow, Connection, Conversation, Side, Span

CLIENT, SERVER = "client", "server"


class Talk:
    """One made-up connection: calls in any order, arrows between them."""

    def __init__(self, name: str = "A", server_thread: str = "server", client_thread: str = ""):
        self.name = name
        self.threads = {"server": server_thread, "client": client_thread or f"client {name}"}
        self.spans: list[Span] = []
        self.arrows: list[Arrow] = []
        self.accepted: float | None = None

    def call(
        self,
        side: Side,
        call: str,
        start: float,
        end: float | None = None,
        *,
        data: bytes = b"",
        nbytes: int | None = None,
        error: str = "",
        thread: str = "",
    ) -> Span:
        """A call from `start` to `end` (ms), by that side's own thread unless another is named."""
        start, end = start / 1000, (start if end is None else end) / 1000
        size = len(data) if nbytes is None else nbytes
        thread = thread or self.threads[side]
        span = Span(self.name, side, thread, call, start, end, size, error, data)
        self.spans.append(span)
        return span

    def arrow(
        self, kind: str, sent: Span, met: Span | None = None, data: bytes = b"", nbytes=None
    ):
        """An arrow from one call to another, or to nobody."""
        size = len(data) if nbytes is None else nbytes
        times = sent.start, met.end if met else None
        self.arrows.append(Arrow(sent.side, kind, *times, size, data, sent, met))

    def open(self, at: float, accept_from: float, accepted: float | None, took: float = 0.0):
        """connect() at `at` and the accept() that waited from `accept_from` on."""
        connect = self.call("client", "connect", at, at + took)
        accept = None
        if accepted is not None:
            accept = self.call("server", "accept", accept_from, accepted)
            self.accepted = accept.end
        self.arrow("handshake", connect, accept)

    def say(self, source: Side, at: float, recv: tuple[float, float], data: bytes, call="sendall"):
        """One send met by one recv."""
        sent = self.call(source, call, at, data=data)
        met = self.call("server" if source == "client" else "client", "recv", *recv, data=data)
        self.arrow("data", sent, met, data)

    def end(self, source: Side, at: float, recv: tuple[float, float], call="close"):
        """close() on one side, b"" on the other."""
        sent = self.call(source, call, at)
        met = self.call("server" if source == "client" else "client", "recv", *recv)
        self.arrow("end", sent, met)

    def pair(self, source: Side) -> None:
        """Join the bytes that were sent with the bytes that were received, by their offset."""
        sends = [s for s in self.spans if s.side == source and s.call.startswith("send")]
        recvs = [s for s in self.spans if s.side != source and s.call.startswith("recv")]
        for sent, first in _offsets(sends):
            for met, start in _offsets(recvs):
                a, b = max(first, start), min(first + sent.nbytes, start + met.nbytes)
                if a < b:
                    self.arrow("data", sent, met, sent.data[a - first : b - first], b - a)

    def connection(self) -> Connection:
        spans = sorted(self.spans, key=lambda span: (span.start, span.end))
        client = tuple(span for span in spans if span.side == "client")
        server = tuple(span for span in spans if span.side == "server")
        opened = min((s.start for s in client), default=min((s.start for s in spans), default=0.0))
        closed = max((span.end for span in spans), default=0.0)
        arrows = tuple(sorted(self.arrows, key=lambda arrow: arrow.left))
        return Connection(self.name, client, server, arrows, opened, self.accepted, closed)


def _offsets(spans):
    at = 0
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        yield span, at
        at += span.nbytes


def select(start: float, end: float, thread: str = "server", call: str = "select") -> Span:
    """A call that belongs to no one connection."""
    return Span("", "server", thread, call, start / 1000, end / 1000)


def conversation(*talks: Talk, others: tuple[Span, ...] = (), end: float = 0.0) -> Conversation:
    """The conversation of these talks; `others` are the server's calls without a connection."""
    connections = tuple(talk.connection() for talk in talks)
    spans = [span for connection in connections for span in connection.server] + list(others)
    threads: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        threads.setdefault(span.thread, []).append(span)
    last = max([end / 1000, *(c.closed for c in connections), *(s.end for s in others)])
    return Conversation(connections, {name: tuple(of) for name, of in threads.items()}, last)


def two_echoes() -> Conversation:
    """The conversation of the first notebooks: two echoes, each after 20 ms of work."""
    talk = Talk()
    talk.open(10, 0, 10.4)
    talk.say("client", 10.2, (10.5, 10.7), b"hello", "send")
    talk.say("server", 30.9, (11.2, 31.1), b"hello", "send")
    talk.say("client", 151, (31.3, 151.3), b"bye", "send")
    talk.say("server", 171.6, (151.4, 172), b"bye", "send")
    talk.end("client", 172.2, (172.1, 172.5))
    talk.call("server", "close", 172.7)
    return conversation(talk)
