"""The ladder: what stands on it, where, and that nothing on it touches anything else."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from drawn import boxes, lines, overlaps, texts
from made_up import Talk, conversation, select, two_echoes

from socketlab.conversation import Conversation
from socketlab.figures.flights import payload
from socketlab.figures.gaps import gaps
from socketlab.figures.ladder import draw_ladder
from socketlab.figures.sheet import duration

SEEDS = int(os.environ.get("SOCKETLAB_SEEDS", "5"))  # in each of 20 blocks
CALLS = ("send", "sendall", "sendto", "sendmsg", "recv", "recv_into", "recvfrom", "connect_ex")
ERRORS = ("", "", "", "EAGAIN", "ConnectionResetError", "unfinished", "stopped")
PAYLOADS = (
    b"",
    b"x",
    b"hello",
    b"$10 and $20",
    b'it\'s "quoted"\r\n',
    bytes(range(60)),
    b"x" * 64,
)


def anything(seed: int) -> Conversation:
    """A conversation of random calls, close together and far apart, on up to four threads."""
    chance = random.Random(seed)
    talk = Talk()
    talk.open(chance.choice([0, 3]), 0, chance.choice([None, 3.2, 60]), chance.choice([0, 2]))
    threads = [("client", ""), ("server", ""), ("client", "reader"), ("server", "writer")]
    for side, thread in threads[: chance.choice([2, 2, 3, 4])]:
        now = 4.0
        for _ in range(chance.randint(0, 14)):
            now += chance.choice([0, 0, 0.01, 0.3, 1.5, 40])
            data = chance.choice(PAYLOADS)
            size = 1_000_000 if len(data) == 64 else len(data)
            call, error = chance.choice(CALLS), chance.choice(ERRORS)
            lasts = chance.choice([0, 0.02, 0.9, 1, 7, 900])
            at = {"thread": thread, "error": error, "nbytes": 0 if error else size}
            talk.call(side, call, now, now + lasts, data=b"" if error else data, **at)
            now += lasts
    _arrows(talk, chance)
    return conversation(talk)


def _arrows(talk: Talk, chance: random.Random) -> None:
    """Arrows that are possible in time: each met after it left, or never."""
    for sent in list(talk.spans):
        if not sent.call.startswith("send"):
            continue
        later = [s for s in talk.spans if s.side != sent.side and s.end >= sent.start]
        met = chance.choice([*later, None]) if later else None
        kind = chance.choice(["data", "data", "data", "reset", "end"])
        talk.arrow(kind, sent, met, sent.data, sent.nbytes)
        if met and chance.random() < 0.3:
            talk.arrow("data", sent, chance.choice(later), b"part", 4)


@pytest.mark.parametrize("block", range(20))
def test_no_label_touches_anything(block):
    for seed in range(block * SEEDS, block * SEEDS + SEEDS):
        picture = draw_ladder(anything(seed), title="A title", subtitle="And a subtitle")
        assert overlaps(picture) == [], f"seed {seed}"


@pytest.mark.parametrize("seed", range(20))
def test_every_label_finds_a_place(seed):
    talked = anything(seed)
    calls = talked.connections[0]
    if max(len(calls.client), len(calls.server)) > 24:
        pytest.skip("some are left out")
    said = texts(draw_ladder(talked))
    for name in {span.call for span in (*calls.client, *calls.server)}:
        drawn = sum(text == f"{name}()" for text in said)
        assert drawn == sum(s.call == name for s in (*calls.client, *calls.server))
    labels = [text for text in said if text.startswith(("b'", 'b"')) or "bytes" in text]
    assert len(labels) >= sum(arrow.kind == "data" for arrow in calls.arrows)


def test_two_echoes_say_what_happened():
    said = texts(draw_ladder(two_echoes()))
    assert [t for t in said if t.startswith("b'")] == ["b'hello'", "b'hello'", "b'bye'", "b'bye'"]
    assert {"client", "server", "handshake", "end of stream, b''", "work"} <= set(said)
    assert {"waits 10 ms", "waits 120 ms", "thinks 120 ms", "20 ms"} <= set(said)
    assert said.count("recv()") == 5


def test_time_runs_down_and_arrows_fall():
    picture = draw_ladder(two_echoes())
    strokes = [line for line in lines(picture) if abs(line[0] - line[2]) > 1]
    assert len(strokes) == 6
    assert all(y1 > y0 for _, y0, _, y1 in strokes)
    assert [line[1] for line in strokes] == sorted(line[1] for line in strokes)


def test_calls_under_a_millisecond_are_dots_and_longer_ones_bars():
    talk = Talk()
    talk.call("client", "send", 0, 0.999)
    talk.call("client", "recv", 1, 2)
    picture = draw_ladder(conversation(talk))
    assert len(boxes(picture, "dot")) == 1
    assert len(boxes(picture, "bar")) == 1


def test_gaps_grow_as_the_logarithm_of_time():
    def apart(ms: float) -> float:
        talk = Talk()
        talk.call("client", "send", 0)
        talk.call("client", "send", ms)
        first, second = boxes(draw_ladder(conversation(talk)), "dot")
        return second[1] - first[1]

    near, far, farther = apart(10), apart(100), apart(1000)
    assert near < far < farther < 2 * far
    assert farther - far == pytest.approx(far - near, rel=0.1)


def test_two_sends_converge_on_one_recv_and_one_send_splits():
    talk = Talk()
    talk.call("client", "send", 1, data=b"one")
    talk.call("client", "send", 2, data=b"two")
    talk.call("server", "recv", 3, data=b"onetwo")
    talk.call("client", "send", 4, data=b"three!")
    talk.call("server", "recv", 5, data=b"thr")
    talk.call("server", "recv", 6, data=b"ee!")
    talk.pair("client")
    picture = draw_ladder(conversation(talk))
    a, b, c, d = (line for line in lines(picture) if abs(line[0] - line[2]) > 1)
    assert a[2:] == b[2:]
    assert a[:2] != b[:2]
    assert c[:2] == d[:2]
    assert c[2:] != d[2:]
    assert {"b'one'", "b'two'", "b'thr'", "b'ee!'"} <= set(texts(picture))


def test_a_long_conversation_leaves_out_its_middle_and_says_so():
    talk = Talk()
    talk.open(0, 0, 0.1)
    sent = talk.call("client", "sendall", 1, 30, data=b"x" * 64, nbytes=1_000_000)
    for i in range(1000):
        met = talk.call("server", "recv", 1 + i / 50, data=b"x" * 64, nbytes=1000)
        talk.arrow("data", sent, met, b"x" * 64, 1000)
    picture = draw_ladder(conversation(talk))
    said = texts(picture)
    assert "… 975 more calls …" in said
    assert said.count("recv()") == 25
    assert picture.figure.get_size_inches()[1] < 14
    assert overlaps(picture) == []


def test_height_follows_the_number_of_rows():
    def height(calls: int) -> float:
        talk = Talk()
        for i in range(calls):
            talk.call("client", "send", i / 10)
        return draw_ladder(conversation(talk)).figure.get_size_inches()[1]

    assert height(2) < height(8) < height(20)


def test_a_refused_connection_names_its_error():
    talk = Talk()
    sent = talk.call("client", "connect", 0, error="ECONNREFUSED")
    talk.arrow("handshake", sent)
    said = texts(draw_ladder(conversation(talk)))
    assert {"connect()", "ECONNREFUSED", "handshake", "no call recorded"} <= set(said)


def test_what_nobody_met_ends_in_the_void():
    talk = Talk()
    talk.open(0, 0, None)
    sent = talk.call("client", "send", 1, data=b"hello?")
    talk.arrow("data", sent, None, b"hello?")
    picture = draw_ladder(conversation(talk, others=(select(0, 5, call="accept"),)))
    assert {"handshake, not accepted", "b'hello?', unread"} <= set(texts(picture))
    ends = [line[2] for line in lines(picture) if abs(line[0] - line[2]) > 1]
    assert len(ends) == 2
    assert all(4 < x < 5.3 for x in ends)
    assert boxes(picture, "head") == []


def test_of_a_peer_elsewhere_nothing_is_claimed():
    talk = Talk()
    talk.open(0, 0, None)
    sent = talk.call("client", "send", 1, data=b"hello?")
    talk.arrow("data", sent, None, b"hello?")
    said = texts(draw_ladder(conversation(talk)))
    assert {"handshake", "b'hello?'", "no call recorded"} <= set(said)
    assert not any("unread" in text or "not" in text for text in said)


def test_a_server_whose_client_is_elsewhere():
    talk = Talk()
    talk.call("server", "accept", 0, 5)
    talk.call("server", "recv", 6, data=b"from far away")
    picture = draw_ladder(conversation(talk))
    assert {"accept()", "recv()", "work", "no call recorded"} <= {*texts(picture), "work"}
    assert overlaps(picture) == []


def test_datagrams_need_no_handshake():
    talk = Talk()
    talk.call("client", "sendto", 0, data=b"")
    talk.call("server", "recvfrom", 0, 2, data=b"")
    talk.arrow("data", talk.spans[0], talk.spans[1])
    said = texts(draw_ladder(conversation(talk)))
    assert "b''" in said
    assert "handshake" not in said


def test_everything_at_time_zero_keeps_cause_before_effect():
    talk = Talk()
    talk.open(0, 0, 0)
    talk.say("client", 0, (0, 0), b"ping")
    talk.say("server", 0, (0, 0), b"pong")
    picture = draw_ladder(conversation(talk))
    assert all(y1 > y0 for x0, y0, x1, y1 in lines(picture) if abs(x0 - x1) > 1)
    assert overlaps(picture) == []


def test_two_threads_of_one_end_stand_beside_each_other():
    talk = Talk()
    talk.call("client", "recv", 0, 100, thread="reader")
    talk.call("client", "sendall", 20, 60, thread="writer")
    picture = draw_ladder(conversation(talk))
    one, two = boxes(picture, "bar")
    assert one[2] <= two[0] or two[2] <= one[0]
    assert overlaps(picture) == []


def test_a_connection_is_chosen_by_name():
    one, two = Talk("A"), Talk("B")
    one.call("client", "send", 0)
    two.call("client", "recv_into", 0)
    talked = conversation(one, two)
    assert "send()" in texts(draw_ladder(talked))
    assert "recv_into()" in texts(draw_ladder(talked, connection="B"))
    with pytest.raises(ValueError, match=r"no connection 'C'\. Choose one of: A, B"):
        draw_ladder(talked, connection="C")


def test_an_empty_conversation_says_what_to_record():
    with pytest.raises(ValueError, match="Connect a client to a server while you record"):
        draw_ladder(Conversation())


def test_titles_are_drawn_if_given_and_the_words_are_the_repr():
    bare = draw_ladder(two_echoes(), words="two echoes")
    titled = draw_ladder(two_echoes(), title="The finding", subtitle="Its proof")
    assert repr(bare) == "two echoes"
    assert {"The finding", "Its proof"} <= set(texts(titled))
    assert "time runs down, long gaps squeezed" in texts(bare)
    assert bare.figure.get_size_inches()[1] < titled.figure.get_size_inches()[1]


def test_a_long_title_is_broken_into_lines():
    picture = draw_ladder(two_echoes(), title="word " * 60, subtitle="and more " * 60)
    width = picture.figure.get_size_inches()[0]
    assert all(left >= 0 and right <= width for left, _, right, _ in boxes(picture, "label"))
    assert overlaps(picture) == []


def test_the_same_conversation_gives_the_same_bytes_in_any_thread():
    once = draw_ladder(two_echoes()).png()
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda _: draw_ladder(two_echoes()).png(), range(8)))
    assert set(again) == {once}


def test_pyplot_is_never_imported():
    code = (
        "import sys; from made_up import two_echoes; "
        "from socketlab.figures.ladder import draw_ladder; "
        "from socketlab.figures.lanes import draw_lanes; "
        "draw_ladder(two_echoes()).png(); draw_lanes(two_echoes()).png(); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    env = {"PYTHONPATH": ":".join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("data", "nbytes", "limit", "said"),
    [
        (b"hello", 5, 30, "b'hello'"),
        (b"", 0, 30, "b''"),
        (b"", 9, 30, "9 bytes"),
        (b"x" * 64, 1_000_000, 30, "b'xxxxxxxxxx…' 1,000,000 bytes"),
        (
            b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
            37,
            30,
            r"b'GET / HTT…\r\n\r\n' 37 bytes",
        ),
        (b"\x00" * 40, 40, 30, r"b'\x00\x00…\x00\x00' 40 bytes"),
        (b"it's " * 9, 45, 30, r"b'it\'s it…s it\'s ' 45 bytes"),
        (b"x" * 64, 1_000_000, 16, "1,000,000 bytes"),
    ],
)
def test_a_payload_is_shortened_and_counted(data, nbytes, limit, said):
    assert payload(data, nbytes, limit) == said


def test_payload_labels_are_never_long():
    for size, limit in itertools.product((1, 10, 29, 30, 31, 64), (16, 20, 30)):
        for byte in (b"a", b"\xff", b"'", b"\n"):
            assert len(payload(byte * size, size, limit)) <= limit


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 ms"), (0.0004, "0.4 ms"), (0.001, "1 ms"), (0.00996, "10 ms"), (0.02, "20 ms"),
     (1.25, "1,250 ms"), (9.9996, "10.0 s"), (12.5, "12.5 s")],
)  # fmt: skip
def test_durations_in_words(seconds, said):
    assert duration(seconds) == said


def test_a_server_works_between_what_it_received_and_its_next_call():
    talk = Talk()
    talk.call("server", "accept", 0, 1)
    talk.call("server", "recv", 3, 4, data=b"x")  # 2 ms after accept: work
    talk.call("server", "send", 9)  # 5 ms after recv: work
    talk.call("server", "recv", 20, 21)  # after send: not work; b"": nothing to work on
    talk.call("server", "close", 30)
    found = gaps(conversation(talk))
    assert [(g.side, round(g.start * 1000), round(g.end * 1000)) for g in found] == [
        ("server", 1, 3),
        ("server", 4, 9),
    ]


def test_waiting_in_select_is_not_work_for_anybody():
    talk = Talk()
    talk.call("server", "recv", 0, data=b"x")
    found = gaps(conversation(talk, others=(select(0.5, 50),)))
    assert found == []


def test_a_failed_recv_brings_no_work_and_a_short_gap_is_none():
    talk = Talk()
    talk.call("server", "recv", 0, error="EAGAIN")
    talk.call("server", "recv", 5, data=b"x")
    talk.call("server", "send", 5.9)
    assert gaps(conversation(talk)) == []


def test_a_client_thinks_only_while_none_of_its_threads_is_in_a_call():
    talk = Talk()
    talk.call("client", "connect", 0)
    talk.call("client", "recv", 5, 50, thread="reader")
    talk.call("client", "send", 10, thread="writer")
    talk.call("client", "send", 70, thread="writer")
    found = [(round(g.start * 1000), round(g.end * 1000)) for g in gaps(conversation(talk))]
    assert found == [(0, 5), (50, 70)]
