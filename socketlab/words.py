"""A conversation in words: the text equivalent of the pictures, the same from run to run.

There are no times in it, no ports and nothing that depends on who was faster. Calls stand in the
order in which they caused one another; where nothing decides, the client's stand first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from socketlab.conversation import RECEIVES, Connection, Conversation, Side, Span, conversation
from socketlab.dialogue import rows, told
from socketlab.turns import Present, arrivals

BULK = 24  # calls on one side beyond which a connection is summed up instead of listed
LARGE = 16_384  # bytes one way beyond which it is so too: the kernel cuts them as it likes
NAMED = 6  # connections that are listed by name
NOTHING = "No connection was made while this was recorded."


def describe(spans: Iterable[Span]) -> str:
    """What happened: call by call for one connection, a line for each of several.

    TypeError if `spans` is anything but a recording or other spans.
    """
    found = conversation(spans)
    if len(found.connections) == 1:
        return describe_connection(found.connections[0])
    return describe_lanes(found)


def describe_connection(
    connection: Connection, sides: tuple[str, str] = ("client", "server")
) -> str:
    """A table of two columns, client and server, and an arrow for what went between them.

    `sides` is what to call the two.
    """
    advice = "take one of conversation(recording).connections, or use describe(recording)"
    _check(connection, Connection, advice)
    if _is_much(connection):
        return _sum(connection, sides)
    table = [(sides[0], "", sides[1]), *rows(connection)]
    width = max(len(left) for left, _, _ in table)
    return "\n".join(
        f"{left:{width}}  {arrow:3}  {right}".rstrip() for left, arrow, right in table
    )


def describe_lanes(
    found: Conversation, names: Mapping[str, str] | None = None, threads: Side = "server"
) -> str:
    """A line for each connection: what it moved, and when its turn came.

    `names` stand in place of letters, by letter; `threads` is whose threads are told of.
    """
    _check(found, Conversation, "use describe_lanes(conversation(recording))")
    _check(names or {}, Mapping, "give names by letter: {'A': 'first client'}")
    if not found.connections:
        return NOTHING
    turns = _turns(found, names or {})
    table = [("", "client sent", "came back", "accepted")]
    for connection in found.connections:
        moved = _bytes(_sent(connection, "client")), _bytes(_received(connection, "client"))
        table.append((_named(connection.name, names or {}), *moved, turns[connection.name]))
    return "\n".join([aligned(table), _threads(found, threads)])


def aligned(lines: Iterable[tuple[str, ...]]) -> str:
    """Lines of words as text in columns that are two spaces apart."""
    lines = list(lines)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (map(str.ljust, line, widths) for line in lines)
    return "\n".join("  ".join(words).rstrip() for words in padded)


def _check(thing: Any, kind: type, advice: str) -> None:
    if not isinstance(thing, kind):
        raise TypeError(f"{thing!r:.80} is not a {kind.__name__}: {advice}")


# --- one connection ------------------------------------------------------------------------------


def _is_much(connection: Connection) -> bool:
    """Whether it would be too long to read, or is cut into calls as the kernel likes."""
    sides: tuple[Side, Side] = ("client", "server")
    moved = [count(connection, side) for side in sides for count in (_sent, _received)]
    calls = [len(told(connection.client)), len(told(connection.server))]
    return max(moved) > LARGE or max(calls) > BULK


def _sum(connection: Connection, names: tuple[str, str]) -> str:
    lines = ["Too much to list call by call; in sum:"]
    sides: list[tuple[Side, Side]] = [("client", "server"), ("server", "client")]
    for (side, other), (one, two) in zip(sides, (names, names[::-1]), strict=True):
        sent, had = _sent(connection, side), _received(connection, other)
        lines.append(f"{one} sent {_bytes(sent)}, {two} received {_bytes(had)}")
    return "\n".join(lines)


def _sent(connection: Connection, side: Side) -> int:
    return sum(a.nbytes for a in connection.arrows if a.source == side and a.sent_by)


def _received(connection: Connection, side: Side) -> int:
    return sum(s.nbytes for s in getattr(connection, side) if s.call in RECEIVES)


def _bytes(number: int) -> str:
    return f"{number:,} byte" + "s" * (number != 1)


# --- several connections -------------------------------------------------------------------------


def _turns(found: Conversation, names: Mapping[str, str]) -> dict[str, str]:
    """When the server's accept() returned each connection, told by the others."""
    turns = {connection.name: _unaccepted(connection) for connection in found.connections}
    place = {connection.name: i for i, connection in enumerate(found.connections)}
    for connection, present in arrivals(found.connections):
        turns[connection.name] = _turn(connection, present, names, place)
    return turns


def _turn(
    connection: Connection, present: Present, names: Mapping[str, str], place: Mapping[str, int]
) -> str:
    if len(present.names) > NAMED + 1:
        return f"beside {len(present.names) - 1} others"
    if others := sorted(present.names.keys() - {connection.name}, key=place.__getitem__):
        return "beside " + _listed([_named(name, names) for name in others])
    gone = present.last_gone[1]
    return f"after {_named(gone, names)} was closed" if gone else "first"


def _unaccepted(connection: Connection) -> str:
    """Why there is no accept() to tell of."""
    connects = [span for span in connection.client if span.call.startswith("connect")]
    if any(span.error == "ECONNREFUSED" for span in connection.client):
        return "refused"
    if not connects or connects[0].datagram:
        return "-"
    unseen = connection.server or _received(connection, "client")
    return "not seen" if unseen else "never"


def _named(name: str, names: Mapping[str, str]) -> str:
    return names.get(name, name)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _threads(found: Conversation, side: Side) -> str:
    """One sentence on how many threads there were, and how many connections each had at once."""
    threads = found.threads(side)
    if not threads:
        return f"The {side} is not in this process."
    by_name = {c.name: c for c in found.connections if c.accepted is not None}
    most = max(_most_at_once(spans, by_name) for spans in threads.values())
    held = f"at most {most} connection{'s' * (most != 1)} open at a time" if by_name else ""
    if len(threads) == 1:
        return f"One {side} thread, {next(iter(threads))}{held and ': ' + held}."
    return f"{len(threads)} {side} threads{held and ', each with ' + held}."


def _most_at_once(spans: Sequence[Span], by_name: Mapping[str, Connection]) -> int:
    """The largest number of accepted connections that one thread served at the same time."""
    mine = dict.fromkeys(s.conn for s in spans if s.conn in by_name and s.call != "accept")
    accepted = {span.conn for span in spans if span.call == "accept"}
    began = {span.conn: span.start for span in reversed(spans)}
    closed = {span.conn: span.start for span in spans if span.call == "close"}

    def together(one: str, present: Present) -> int:
        if one in accepted:
            return len(present.names)
        left = (name for name in present.names if closed.get(name, began[one]) < began[one])
        return len(present.names) - sum(1 for _ in left)  # which it had left for this one

    here = arrivals(by_name[name] for name in mine)
    return max((together(one.name, present) for one, present in here), default=0)
