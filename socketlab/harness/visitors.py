"""Clients that come one after another and think before they speak: the scene of a timeline."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence

from socketlab.harness.program import Program
from socketlab.peers import recv_exactly

APART = 0.04  # seconds from one visitor to the next
THINK = 0.12  # seconds before each message but the first
LONGEST = 2.0  # seconds that a visitor waits for an answer: it has a place in the picture


class Visitor(threading.Thread):
    """A client that has connected: it sends each message and waits for so many bytes of answer."""

    def __init__(self, program: Program, messages: Sequence[tuple[bytes, int]]) -> None:
        super().__init__(name="visitor")
        self.sock = socket.create_connection(program.address, LONGEST)
        self.messages, self.error = messages, ""

    def run(self) -> None:
        """Have the whole conversation, and leave."""
        with self.sock:
            try:
                self._talk()
            except (OSError, EOFError) as error:
                self.error = str(error) or type(error).__name__

    def _talk(self) -> None:
        for number, (message, size) in enumerate(self.messages):
            time.sleep(THINK if number else 0)
            self.sock.sendall(message)
            recv_exactly(self.sock, size)


def visit(program: Program, *conversations: Sequence[tuple[bytes, int]]) -> None:
    """One visitor for each conversation; they come a moment apart, so that their order is known.

    A conversation is a list of messages, each with the number of bytes that answer it.
    """
    visitors = []
    for messages in conversations:
        visitors.append(Visitor(program, messages))
        visitors[-1].start()
        time.sleep(APART)
    for visitor in visitors:
        visitor.join()
    if left := [visitor.error for visitor in visitors if visitor.error]:
        raise program.failed(f"{len(left)} of {len(visitors)} visitors had no answer: {left[0]}")
