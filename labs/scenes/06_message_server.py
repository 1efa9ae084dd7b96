"""The scene of lab 06's timeline: change it and draw the timeline again."""

import json

from socketlab.harness import lab_check, visit
from socketlab.harness.envelopes import envelope, recv_envelope

SEARCH = envelope(json.dumps({"action": "search", "value": "port"}).encode(), "text/json")
HELLO = envelope(b"hello")
TWO = HELLO + SEARCH

IN_PIECES = [(SEARCH[:1], 0), (SEARCH[1:40], 0), (SEARCH[40:], recv_envelope)]
GLUED = [(TWO[: len(HELLO) + 20], recv_envelope), (TWO[len(HELLO) + 20 :], recv_envelope)]


@lab_check()
def test_scene(server):
    """two clients: one message in three pieces, and two messages in two pieces"""
    visit(server, IN_PIECES, GLUED, names=["in pieces", "glued"])
