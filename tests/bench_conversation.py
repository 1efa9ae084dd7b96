"""What reading a recording costs: from raw events to spans, to a conversation, to words.

python tests/bench_conversation.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from made_events import Tape, datagrams, echoes, stream

from socketlab.conversation import conversation
from socketlab.words import describe, describe_lanes

SIZES = (1_000, 10_000)
SHAPES: dict[str, Callable[[int], Tape]] = {
    "echoes": echoes,
    "echoes, threads": partial(echoes, threads=True),
    "echoes, Unix": partial(echoes, unix=True),
    "one stream": stream,
    "datagrams": datagrams,
}


def seconds(make: Callable) -> tuple[float, object]:
    start = time.perf_counter()
    made = make()
    return time.perf_counter() - start, made


def main() -> None:
    print("shape                  size     spans      pairing  conversation  words")
    for name, shape in SHAPES.items():
        for size in SIZES:
            tape = shape(size)
            pairing, spans = seconds(tape.spans)
            arrows, found = seconds(partial(conversation, spans))
            words, _ = seconds(partial(describe_lanes, found))
            row = f"{name:20} {size:6,}  {len(spans):8,}"
            print(f"{row}  {pairing:9.2f} s  {arrows:10.2f} s  {words:4.2f} s")
            assert describe(spans)


if __name__ == "__main__":
    main()
