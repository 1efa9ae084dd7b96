"""A learner's program, recorded in its own process and drawn with its clients on one clock."""

import errno
import socket
import tempfile
from pathlib import Path

import pytest
from drawn import texts
from hypothesis import given
from hypothesis import strategies as st

from socketlab import record
from socketlab.cli import main
from socketlab.conversation import conversation
from socketlab.events import MOST, event_line, read_events
from socketlab.harness.verdicts import Verdict
from socketlab.learner import Result, check
from socketlab.spans import read_spans, write_spans
from socketlab.taps import Cut, Event
from socketlab.timelines import SCENE, record_check, timeline
from socketlab.words import describe

ROOT = Path(__file__).parents[1]
SCENES = sorted((ROOT / "labs" / "scenes").glob("*.py"))
CHECKS = ROOT / "labs" / "checks" / "01_echo_server.py"
MUTANTS = ROOT / "solutions" / "mutants"

SERVER = """
import socket, sys, threading
def serve(conn):
    while data := conn.recv(1024):
        conn.sendall(data)
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
{body}
"""
THREADS = "while True: threading.Thread(target=serve, args=(listener.accept()[0],)).start()"
SILENT = "conn = listener.accept()[0]; threading.Thread(target=serve, args=(conn,)).start()"
SPINS = """
conn = listener.accept()[0]
conn.setblocking(False)
while True:
    try:
        conn.recv(10)
    except BlockingIOError:
        pass
"""
TYPES = "try: input()\nexcept EOFError: serve(listener.accept()[0])"

ONE_CLIENT = '''
from socketlab.harness import Client, lab_check

@lab_check()
def test_scene(server):
    """one client, whose conversation is not at its end"""
    with Client(server) as client:
        client.exchange(b"hello", b"hello")
        {more}
'''


OF_FUNCTIONS = [
    (
        "02_sleeps_first",
        "test_small_pieces",
        [
            "your function       its peer",
            "recv() = b'h'  <--  send(b'hello, world')",
            "               -x",
            "                    shutdown()",
        ],
    ),
    (
        "02_looks_in_the_newest_piece",
        "test_lines_together",
        [
            "your function                        its peer",
            r"recv() = b'one\ntwo\n\nfour\n'  <--  send(b'one\ntwo\n\nfour\n')",
            "recv() = b''                    <..  shutdown()",
        ],
    ),
    (
        "02_ignores_the_count",
        "test_nothing_is_lost",
        [
            "your function       its peer",
            r"send(b'\x00')  -->  recv() = b'\x00\x00\x01'",
            r"send(b'\x00')  -->  same recv(), b'\x00'",
            r"send(b'\x01')  -->  same recv(), b'\x01'",
            "                    recv() = b''",
        ],
    ),
]


def recorded(tmp_path, body, more="pass", before=""):
    """The verdict and the spans of a server with this body, and one client."""
    program, scene = tmp_path / "server.py", tmp_path / "scene.py"
    program.write_text(f"{before}\n{SERVER.format(body=body)}")
    scene.write_text(ONE_CLIENT.format(more=more))
    return record_check(program, scene, SCENE)


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.stem)
def test_the_reference_that_is_kept_is_what_the_solution_does(scene):
    verdict, spans = record_check(ROOT / "solutions" / scene.name, scene, SCENE)
    assert verdict.outcome == "pass", verdict
    assert describe(spans) == describe(read_spans(scene.with_suffix(".jsonl")))


def test_both_processes_are_on_one_clock(tmp_path):
    _, spans = recorded(tmp_path, THREADS)
    [connection] = conversation(spans).connections
    assert {arrow.kind for arrow in connection.arrows} >= {"handshake", "data", "end"}
    data = [arrow for arrow in connection.arrows if arrow.kind == "data"]
    assert all(arrow.left <= arrow.met for arrow in data)
    assert [span.call for span in connection.server] == ["accept", "recv", "sendall", "recv"]
    assert spans[0].start == 0.0


def test_of_a_slow_program_nothing_else_is_recorded(tmp_path):
    _, spans = recorded(tmp_path, THREADS, before="import time; time.sleep(0.6)")
    assert {s.thread for s in spans if s.side == "server"} == {"program", "serve"}
    assert len(conversation(spans).server_threads) == 2  # its own, once


def test_what_a_thread_waits_for_at_the_end_is_seen(tmp_path):
    _, spans = recorded(tmp_path, THREADS, more="server.kill()")
    last = [(s.call, s.error) for s in spans if s.thread.startswith("serve")][-1]
    assert last == ("recv", "unfinished")


def test_a_program_that_spins_is_cut_short(tmp_path):
    verdict, spans = recorded(tmp_path, SPINS)
    assert verdict.outcome == "fail"
    assert len(spans) <= MOST + 1000


def test_the_thread_that_keeps_its_calls_is_not_counted(tmp_path):
    look = "if server.threads() != 2: raise server.failed(f'{server.threads()} threads')"
    verdict, _ = recorded(tmp_path, THREADS, more=look)
    assert verdict.outcome == "pass", verdict


def test_a_recorded_program_has_no_keyboard(tmp_path):
    verdict, _ = recorded(tmp_path, TYPES)
    assert verdict.outcome == "pass", verdict


def test_the_conversation_of_the_first_failure():
    failed = Verdict("test_white_space", "it echoes", "fail")
    result = Result("", (failed,), checks=CHECKS, program=MUTANTS / "01_strips.py")
    assert repr(result.ladder()) == "\n".join(
        [
            "client                    server",
            "connect()            ..>  accept()",
            "send(b'  a line\\n')  -->  recv() = b'  a line\\n'",
            "recv() = b'a line'   <--  sendall(b'a line')",
            "close()              ..>  recv() = b''",
            "                          close()",
        ]
    )


@pytest.mark.parametrize(("mutant", "failed", "told"), OF_FUNCTIONS)
def test_the_conversation_of_a_function(mutant, failed, told):
    verdict = Verdict(failed, "a check of lab 02", "fail")
    checks = ROOT / "labs" / "checks" / "02_framing.py"
    result = Result("", (verdict,), checks=checks, program=MUTANTS / f"{mutant}.py")
    picture = result.ladder()
    assert repr(picture).split("\n") == told
    assert {"your function", "its peer"} <= set(texts(picture))


def test_a_function_that_waits_is_seen_waiting(tmp_path):
    program = tmp_path / "waits.py"
    program.write_text("def recv_exactly(conn, size):\n    while conn.recv(100): pass\n")
    verdict = Verdict("test_recv_exactly", "five bytes", "fail")
    checks = ROOT / "labs" / "checks" / "02_framing.py"
    picture = Result("", (verdict,), checks=checks, program=program).ladder()
    assert repr(picture).split("\n")[1:] == [
        "recv() = b'hello'   <--  send(b'hello')",
        "recv()  unfinished",
    ]


@pytest.mark.parametrize(
    ("mutant", "lab", "failed", "why"),
    [
        ("02_leaves_it_to_to_bytes", "02_framing", "test_too_long", "neither sent nor received"),
        ("06_counts_characters", "06_message_server", "test_counts_bytes", "no conversation"),
    ],
)
def test_there_is_no_ladder_of_a_function_that_was_only_called(mutant, lab, failed, why):
    verdict = Verdict(failed, "it is only called", "fail")
    checks = ROOT / "labs" / "checks" / f"{lab}.py"
    with pytest.raises(ValueError, match=f"nothing to draw: your .*{why}"):
        Result("", (verdict,), checks=checks, program=MUTANTS / f"{mutant}.py").ladder()


def test_there_is_no_ladder_without_a_conversation():
    with pytest.raises(ValueError, match=r"no conversation in this check.* ended before"):
        check("01", MUTANTS / "01_forgets_listen.py").ladder()  # fails at its gate
    with pytest.raises(ValueError, match="No check fails"):
        Result("Lab 01", ()).ladder()


def test_a_timeline_stands_beside_the_reference():
    mine, reference = repr(timeline("01", ROOT / "solutions/correct/01_class.py")).split("\n\n")
    assert mine.startswith("Your program:\n")
    assert reference.startswith("The reference:\n")
    assert mine.split("\n")[1:-1] == reference.split("\n")[1:-1]


def test_a_client_is_drawn_with_its_own_threads():
    picture = timeline("05", MUTANTS / "05_one_after_another.py")
    mine, reference = repr(picture).split("\n\n")
    assert "answers first   18 bytes     18 bytes   after answers second was closed" in mine
    assert "answers first   18 bytes     18 bytes   beside answers third and" in reference
    assert mine.endswith("One client thread, program: at most 1 connection open at a time.")
    said = texts(picture)
    assert {"the one", "client thread", "blocked in recv()", "working"} <= set(said)
    assert "thinking" not in said  # a client that waits in select() does not think
    assert said.count("answers third") == 2


def test_clients_have_names_also_when_they_had_no_answer():
    picture = timeline("06", MUTANTS / "06_length_in_one_piece.py")
    told, mine, _ = repr(picture).split("\n\n")
    assert told.startswith("2 of 2 clients had no answer: ")
    assert "Your program stopped at line" in told
    assert mine.endswith("at most 1 connection open at a time.")
    assert {"in pieces", "glued"} <= set(texts(picture))


def test_a_program_without_a_timeline_says_why(tmp_path, capsys):
    saved = tmp_path / "timeline.png"
    assert main(["timeline", "1", "--save", str(saved)]) == 0
    told = capsys.readouterr().out
    assert "Your program took part in no connection" in told
    assert "TODO: make the listener" in told
    assert saved.read_bytes().startswith(b"\x89PNG")


def test_a_lab_without_a_scene_says_so(tmp_path, monkeypatch):
    (tmp_path / "labs" / "checks").mkdir(parents=True)
    (tmp_path / "labs" / "checks" / "02_framing.py").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Lab 02, framing has no timeline"):
        timeline("02")


def test_the_terminal_draws_the_ladder_of_a_failure(tmp_path, capsys):
    program, drawn = str(MUTANTS / "01_strips.py"), tmp_path / "ladder.png"
    assert main(["check", "1", "--program", program, "--ladder", str(drawn)]) == 1
    assert "sendall(b'a line')" in capsys.readouterr().out
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_says_so(tmp_path, capsys):
    nowhere = str(tmp_path / "none" / "timeline.png")
    assert main(["timeline", "1", "--save", nowhere]) == 2
    assert "cannot draw into" in capsys.readouterr().err


# Events as lines


def lines_of(*events):
    return b"".join(event_line(event) for event in events)


def test_events_of_two_processes_never_share_a_name():
    event = Event("socket", 7, 1, 1, 3, (1, None, None, 4))
    [one], [two] = (read_events(lines_of(event), process) for process in (1, 2))
    assert (one.key, one.thread, one.result[3]) != (two.key, two.thread, two.result[3])
    assert 7 not in (one.key, two.key)
    [accept] = read_events(lines_of(Event("accept", 5, 1, 2, 3, 7)), 1)
    assert accept.result == one.key
    asked = Event("select", 0, 1, 2, 3, (9, ((4, 1),), ((4, 1),)))
    [select] = read_events(lines_of(asked), 1)
    assert select.key == 0
    assert select.result[1][0][0] == one.result[3]


def test_an_error_keeps_its_name_and_number():
    error = ConnectionResetError(errno.ECONNRESET, "reset")
    [event] = read_events(lines_of(Event("recv", 7, 1, 2, 3, None, error)), 1)
    assert type(event.error).__name__ == "ConnectionResetError"
    assert event.error.errno == errno.ECONNRESET
    [event] = read_events(lines_of(Event("recv", 7, 1, 2, 3, None, KeyboardInterrupt())), 1)
    assert type(event.error).__name__ == "Unfinished"


PLAIN = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(max_size=600),
    lambda each: st.lists(each, max_size=3).map(tuple),
    max_leaves=4,
)


@given(PLAIN)
def test_results_come_as_they_went(result):
    [event] = read_events(lines_of(Event("recv", 7, 1, 2, 3, result)), 1)
    short = result if not isinstance(result, bytes) or len(result) <= 512 else None
    if short is not None and not isinstance(result, tuple):
        assert event.result == result


@given(st.binary())
def test_lines_that_hold_no_event_are_refused(line):
    with pytest.raises(ValueError, match="not an event"):
        list(read_events(line.replace(b"\n", b"") + b"\n", 1))


def test_objects_of_the_program_stay_there():
    [event] = read_events(lines_of(Event("send", 7, 1, 2, 3, (object(), b"x" * 600))), 1)
    assert event.result == (None, Cut(b"x" * 64, 600))


# Recordings as files


def test_a_recording_comes_back_from_its_file(tmp_path):
    with record() as recording:
        one, two = socket.socketpair()
        with one, two:
            one.sendall(b"hello \xff")
            two.recv(10)
    write_spans(tmp_path / "spans", recording)
    spans = read_spans(tmp_path / "spans")
    assert describe(spans) == describe(recording)
    assert [s.data for s in spans] == [s.data for s in recording]


@pytest.mark.parametrize("text", ["[]\n", "{\n", '{"what": 1}\n', '{"data": "x", "start": 0}\n'])
def test_a_file_that_is_no_recording_is_refused(tmp_path, text):
    (tmp_path / "spans").write_text(text)
    with pytest.raises(ValueError, match="is not a recording"):
        read_spans(tmp_path / "spans")


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    recorded(tmp_path, THREADS)
    assert list((tmp_path / "tmp").iterdir()) == []
