"""Pictures of conversations: `draw_ladder` for one connection, `draw_lanes` for several.

Both take recordings (any iterable of spans) and return a `Picture`: the figure, whose repr is the
same conversation in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from socketlab.conversation import Span, conversation
from socketlab.figures import ladder, lanes
from socketlab.figures.picture import Picture
from socketlab.words import describe_connection, describe_lanes

__all__ = ["Picture", "draw_ladder", "draw_lanes"]


def draw_ladder(
    recording: Iterable[Span],
    *,
    title: str | None = None,
    subtitle: str | None = None,
    connection: str | None = None,
    sides: tuple[str, str] = ("client", "server"),
) -> Picture:
    """One connection of `recording` as two lifelines with arrows between; time runs down.

    `connection` is its letter, the first one if none is given; `sides` is what to call the two.
    ValueError if there is no such connection.
    """
    found = conversation(recording)
    chosen = [c for c in found.connections if connection in (None, c.name)][:1]
    words = "\n".join(describe_connection(c, sides) for c in chosen)
    heading = {"title": title, "subtitle": subtitle}
    return ladder.draw_ladder(found, **heading, words=words, connection=connection, sides=sides)


def draw_lanes(
    *recordings: Iterable[Span],
    titles: Sequence[str] | None = None,
    subtitles: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> Picture:
    """Each connection of each recording as a lane, all recordings on one time axis.

    `titles` and `subtitles` are one for each recording, `names` one for each connection in order
    of connect, in place of its letter. ValueError if nothing was recorded.
    """
    found = [conversation(recording) for recording in recordings]
    words = "\n\n".join(describe_lanes(one, _named(one, names)) for one in found)
    return lanes.draw_lanes(*found, titles=titles, subtitles=subtitles, names=names, words=words)


def _named(found, names: Sequence[str] | None) -> dict[str, str]:
    letters = [connection.name for connection in found.connections]
    return dict(zip(letters, names or [], strict=False))
