"""The scene of lab 04's timeline: change it and draw the timeline again."""

from socketlab.harness import lab_check, visit

LONG = bytes(100_000)  # more than the kernel keeps for a client that does not read

SILENT = [(b"", 0), (b"", 0), (b"at last", 7)]
LATE = [(LONG, 0), (b"", 0), (b"", len(LONG))]
QUICK = [(b"hello", 5)] * 3


@lab_check()
def test_scene(server):
    """one client is silent, one reads late, and a third one does not have to wait for them"""
    visit(server, SILENT, LATE, QUICK, names=["silent", "reads late", "quick"])
