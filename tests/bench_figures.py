"""How long the dense picture takes beside an empty one: python tests/bench_figures.py

For 1,000, 3,000 and 10,000 connections of 8 calls each: the time to draw and to write the PNG,
and its ratio to a figure of the same size with nothing on it. CPU time, the best of several
runs, the two kinds of figure in turn, so that other programs disturb both alike.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

from made_up import Talk, conversation
from matplotlib.figure import Figure

from socketlab.conversation import Conversation
from socketlab.figures.lanes import draw_lanes
from socketlab.figures.picture import Picture

RUNS = 7


def crowd(lanes: int) -> Conversation:
    """So many connections to one thread; 4 calls at each end, 5 ms of work for each."""
    talks = []
    for i in range(lanes):
        start = 1000 * i / lanes
        talk = Talk(f"c{i}")
        talk.open(start, start, start + 0.3)
        talk.say("client", start + 1, (start + 1, start + 20), b"ping")
        talk.say("server", start + 25, (start + 1.2, start + 25.2), b"pong")
        talk.call("client", "close", start + 26)
        talk.call("server", "close", start + 26.5)
        talks.append(talk)
    return conversation(*talks)


def seconds(draw: Callable[[], Picture]) -> float:
    """CPU seconds until the PNG is there."""
    before = process_time()
    draw().png()
    return process_time() - before


def main() -> None:
    """Print one line for each number of connections."""
    print(f"{'lanes':>7} {'drawn':>8} {'empty':>8} {'ratio':>6}")
    for lanes in (1_000, 3_000, 10_000):
        talked = crowd(lanes)
        size = draw_lanes(talked).figure.get_size_inches()
        pairs = [
            (seconds(lambda: draw_lanes(talked)), seconds(lambda: Picture(Figure(size), "")))  # noqa: B023
            for _ in range(RUNS)
        ]
        drawn, empty = (min(times) for times in zip(*pairs, strict=True))
        print(f"{lanes:7,} {drawn * 1000:5.0f} ms {empty * 1000:5.0f} ms {drawn / empty:6.1f}")


if __name__ == "__main__":
    main()
