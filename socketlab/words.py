"""A conversation in words: the text equivalent of the pictures, the same from run to run.

There are no times in it, no ports and nothing that depends on who was faster. Calls stand in the
order in which they caused one another; where nothing decides, the client's stand first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from socketlab.conversation import SENDS, Arrow, Connection, Conversation, Span, conversation

BULK = 24  # calls on one side beyond which a connection is summed up instead of listed
SHOWN = 24  # bytes of a payload that are shown


def describe(spans: Iterable[Span]) -> str:
    """What happened: call by call for one connection, a line for each of several."""
    found = conversation(spans)
    if not found.connections:
        return "No connection was made while this was recorded."
    one = len(found.connections) == 1
    return describe_connection(found.connections[0]) if one else describe_lanes(found)


def describe_connection(connection: Connection) -> str:
    """A table of two columns, client and server, and an arrow for what went between them."""
    if max(len(connection.client), len(connection.server)) > BULK:
        return _sum(connection)
    rows = [("client", "", "server"), *_rows(connection)]
    width = max(len(left) for left, _, _ in rows)
    return "\n".join(f"{left:{width}}  {arrow:3}  {right}".rstrip() for left, arrow, right in rows)


def describe_lanes(found: Conversation, names: dict[str, str] | None = None) -> str:
    """A line for each connection: what it moved, and when its turn came."""
    names = names or {}
    rows = [("", "client sent", "came back", "accepted")]
    for connection in found.connections:
        name = names.get(connection.name, connection.name)
        sent, back = _bytes(_sent(connection, "client")), _bytes(_received(connection, "client"))
        rows.append((name, sent, back, _turn(connection, found, names)))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "  ".join(f"{c:{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*lines, *_thread_lines(found)])


# --- one connection ------------------------------------------------------------------------------


def _rows(connection: Connection) -> list[tuple[str, str, str]]:
    """(client's call, arrow, server's call) in the order of cause and effect."""
    order = {id(span): i for i, span in enumerate(_by_cause(connection))}
    drawn = [span for arrow in connection.arrows for span in (arrow.sent_by, arrow.met_by) if span]
    alone = [s for s in (*connection.client, *connection.server) if not any(s is d for d in drawn)]
    rows = [(order[id(span)], *_cells(span)) for span in alone if span.error != "stopped"]
    told: set[int] = set()
    for arrow in sorted(connection.arrows, key=lambda arrow: _last(arrow, order)):
        rows.append((_last(arrow, order)[0], *_arrow_cells(arrow, told)))
    return [row[1:] for row in sorted(rows, key=lambda row: row[0])]


def _last(arrow: Arrow, order: dict[int, int]) -> tuple[int, int]:
    """The place of the call that an arrow ends at, then of the call that it leaves."""
    places = [order[id(span)] for span in (arrow.sent_by, arrow.met_by) if span]
    return max(places), min(places)


def _by_cause(connection: Connection) -> list[Span]:
    """Every call after those that it needed; where nothing decides, the client's first."""
    needs = {id(a.met_by): [] for a in connection.arrows if a.met_by}
    for arrow in connection.arrows:
        if arrow.met_by and arrow.sent_by:
            needs[id(arrow.met_by)].append(id(arrow.sent_by))
    sides, done, order = [list(connection.client), list(connection.server)], set(), []
    while any(sides):
        free = [side for side in sides if side and done.issuperset(needs.get(id(side[0]), ()))]
        span = (free or [side for side in sides if side])[0].pop(0)
        done.add(id(span))
        order.append(span)
    return order


def _cells(span: Span) -> tuple[str, str, str]:
    text = _call(span)
    return (text, "", "") if span.side == "client" else ("", "", text)


def _arrow_cells(arrow: Arrow, told: set[int]) -> tuple[str, str, str]:
    """One arrow; a call with several arrows is named at its first one only."""
    texts = []
    for span in (arrow.sent_by, arrow.met_by):
        texts.append(_call(span, arrow) if span and id(span) not in told else "")
        told.add(id(span))
    if arrow.met_by and arrow.kind == "data" and not texts[1]:
        texts[1] = " " * len("recv() ") + f"+ {_shown(arrow)}"
    line = "--" if arrow.kind == "data" else ".."
    if arrow.met is None:
        line = line[0] + "x"
    if arrow.source == "client":
        return texts[0], line + ">" if arrow.met is not None else line, texts[1]
    return texts[1], "<" + line if arrow.met is not None else line, texts[0]


def _call(span: Span, arrow: Arrow | None = None) -> str:
    """A call as it would be written, and what came of it."""
    if span.error:
        return f"{span.call}()  {span.error}"
    if span.call in SENDS:
        return f"{span.call}({_payload(span.data, span.nbytes)})"
    if span.call.startswith(("recv", "peek")):
        return f"{span.call.removesuffix('(0)')}() = {_payload(span.data, span.nbytes)}"
    return f"{span.call}()"


def _shown(arrow: Arrow) -> str:
    return _payload(arrow.data, arrow.nbytes)


def _payload(data: bytes, nbytes: int) -> str:
    """b'hello' while it is short, else its beginning and its length."""
    if nbytes <= SHOWN and len(data) == nbytes:
        return repr(data)
    return f"{data[:8]!r}… {nbytes:,} bytes"


def _sum(connection: Connection) -> str:
    lines = ["Too many calls to list; in sum:"]
    for side, other in (("client", "server"), ("server", "client")):
        sent, had = _sent(connection, side), _received(connection, other)
        lines.append(f"{side} sent {_bytes(sent)}, {other} received {_bytes(had)}")
    return "\n".join(lines)


# --- several connections -------------------------------------------------------------------------


def _sent(connection: Connection, side: str) -> int:
    return sum(s.nbytes for s in getattr(connection, side) if s.call in SENDS)


def _received(connection: Connection, side: str) -> int:
    return sum(s.nbytes for s in getattr(connection, side) if s.call.startswith("recv"))


def _bytes(number: int) -> str:
    return f"{number:,} byte" + "s" * (number != 1)


def _server_close(connection: Connection, end: float) -> float:
    return max((s.end for s in connection.server if s.call == "close"), default=end)


def _turn(connection: Connection, found: Conversation, names: dict[str, str]) -> str:
    """When the server's accept() returned this connection, told by the others."""
    if connection.accepted is None:
        refused = any(span.error == "ECONNREFUSED" for span in connection.client)
        return (
            "refused"
            if refused
            else "never"
            if connection.server or not _lost(connection)
            else "not seen"
        )
    others = [
        c for c in found.connections if c.accepted is not None and c.accepted < connection.accepted
    ]
    beside = [c for c in others if _server_close(c, found.end) > connection.accepted]
    if beside:
        return "beside " + _listed([names.get(c.name, c.name) for c in beside])
    if others:
        before = max(others, key=lambda c: _server_close(c, found.end))
        return f"after {names.get(before.name, before.name)} was closed"
    return "first"


def _lost(connection: Connection) -> bool:
    """Whether the server's end was in another process, or the recording did not see it."""
    return bool(_received(connection, "client"))


def _listed(names: Sequence[str]) -> str:
    if len(names) > 6:
        return f"{len(names)} others"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _thread_lines(found: Conversation) -> list[str]:
    """One sentence on how many threads served, and how many connections each had at once."""
    threads = found.server_threads
    if not threads:
        return ["The server is not in this process."]
    most = max(_most_at_once(found, name) for name in threads)
    held = f"at most {most} connection{'s' * (most != 1)} open at a time"
    if len(threads) == 1:
        return [f"One server thread, {next(iter(threads))}: {held}."]
    return [f"{len(threads)} server threads, each with {held}."]


def _most_at_once(found: Conversation, thread: str) -> int:
    """The largest number of accepted connections that one thread served at the same time."""
    mine = {s.conn for s in found.server_threads[thread] if s.conn and s.call != "accept"}
    steps = []
    for connection in found.connections:
        if connection.name in mine and connection.accepted is not None:
            steps += [(connection.accepted, 1), (_server_close(connection, found.end), -1)]
    level = most = 0
    for _, step in sorted(steps):
        level += step
        most = max(most, level)
    return most
