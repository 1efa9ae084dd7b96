"""The scene of lab 01's timeline: change it and draw the timeline again."""

from socketlab.harness import lab_check, visit


@lab_check()
def test_scene(server):
    """three clients, three messages each, and a pause before each message but the first"""
    visit(server, *[[(b"hello", 5)] * 3] * 3)
