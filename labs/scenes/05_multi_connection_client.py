"""The scene of lab 05's timeline: change it and draw the timeline again."""

from socketlab.harness import lab_check, receive


@lab_check()
def test_scene(start):
    """three servers at once; the one that is connected first answers last"""
    receive(start, answers_third=0.24, answers_second=0.16, answers_first=0.08)
