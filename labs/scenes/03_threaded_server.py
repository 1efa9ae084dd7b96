"""The scene of lab 03's timeline: change it and draw the timeline again."""

from socketlab.harness import lab_check, visit


@lab_check()
def test_scene(server):
    """three clients, three lines each, and a pause before each line but the first"""
    visit(server, *[[(b"hello\n", len(b"1 hello\n"))] * 3] * 3)
