"""The lanes: what stands on them, on one time axis; and a crowd of which nobody is lost."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from drawn import boxes, overlaps, texts
from made_up import Talk, conversation, select
from PIL import Image

from socketlab.conversation import Conversation
from socketlab.figures.lanes import draw_lanes, ticks
from socketlab.figures.palette import HUES
from socketlab.figures.picture import DPI
from socketlab.figures.raster import Raster
from socketlab.figures.threads import on

SEEDS = int(os.environ.get("SOCKETLAB_SEEDS", "6"))  # in each of 10 blocks
LETTERS = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *(f"A{letter}" for letter in "ABCDEFGHIJKLMNO")]


def one_after_another(lanes: int, *, turns: int = 2, think: float = 60) -> Conversation:
    """A blocking server: each client waits in the accept queue until the one before has gone."""
    talks, free = [], 0.0
    for k in range(lanes):
        talk = Talk(LETTERS[k])
        at = 10.0 + 12 * k
        accepted = max(at, free) + 0.2
        talk.open(at, free, accepted)
        sent, ready = at + 0.3, accepted + 0.1
        for _ in range(turns):
            met = max(sent, ready) + 0.2
            talk.say("client", sent, (ready, met), b"ping")
            talk.say("server", met + 20, (sent + 0.1, met + 20.3), b"pong")
            ready, sent = met + 20.2, met + 20.4 + think
        talk.end("client", sent, (ready, sent + 0.3))
        free = sent + 0.6
        talk.call("server", "close", free - 0.1)
        talks.append(talk)
    return conversation(*talks)


def a_thread_each(lanes: int) -> Conversation:
    """A listener thread, and a thread for each client that works 10 ms."""
    talks = []
    for k in range(lanes):
        talk = Talk(LETTERS[k], server_thread=f"worker {k}")
        at = 10.0 + 5 * k
        connect = talk.call("client", "connect", at)
        accept = talk.call("server", "accept", at - 4, at + 0.1, thread="listener")
        talk.accepted = accept.end
        talk.arrow("handshake", connect, accept)
        talk.say("client", at + 1, (at + 0.5, at + 1.2), b"ping")
        talk.say("server", at + 11.2, (at + 1.1, at + 11.4), b"pong")
        talk.end("client", at + 12, (at + 11.3, at + 12.2))
        talk.call("server", "close", at + 12.3)
        talks.append(talk)
    return conversation(*talks, others=(select(0, 6, "listener", "accept"),))


def anything(seed: int) -> Conversation:
    """Up to fourteen connections of random calls on up to eight server threads."""
    chance = random.Random(seed)
    talks = []
    for k in range(chance.choice([1, 2, 3, 6, 7, 14])):
        talk = Talk(LETTERS[k], server_thread=f"thread {chance.randint(1, 8)}")
        at = chance.uniform(0, 100)
        talk.open(at, 0, chance.choice([None, at + 0.1, at + 50]), chance.choice([0, 3]))
        now = at + 51
        for _ in range(chance.randint(0, 8)):
            side = chance.choice(["client", "server"])
            call = chance.choice(["recv", "recv_into", "sendall", "recvfrom"])
            lasts = chance.choice([0, 0.1, 1, 20, 300])
            error = chance.choice(["", "", "", "ECONNRESET", "ETIMEDOUT", "stopped"])
            span = talk.call(side, call, now, now + lasts, data=b"hello", error=error)
            if call == "sendall":
                talk.arrow("data", span, None, b"hello")
            now += lasts + chance.choice([0, 0.5, 10, 80])
        talks.append(talk)
    others = tuple(select(i * 40, i * 40 + chance.choice([1, 38])) for i in range(5))
    return conversation(*talks, others=others)


def pixels(picture) -> np.ndarray:
    """The PNG as rows of pixels of three numbers."""
    return np.asarray(Image.open(BytesIO(picture.png())).convert("RGB"), dtype=int)


@pytest.mark.parametrize("block", range(10))
def test_no_label_touches_another(block):
    for seed in range(block * SEEDS, block * SEEDS + SEEDS):
        picture = draw_lanes(anything(seed), titles=["A title"], subtitles=["A subtitle"])
        assert overlaps(picture, on_bars=True) == [], f"seed {seed}"


@pytest.mark.parametrize("lanes", [1, 2, 6, 7, 16, 17, 40])
def test_every_connection_up_to_forty_has_its_name(lanes):
    picture = draw_lanes(one_after_another(lanes, turns=1))
    said = texts(picture)
    assert set(LETTERS[:lanes]) <= set(said)
    assert overlaps(picture, on_bars=True) == []


def test_beyond_forty_names_give_way_to_a_number():
    said = texts(draw_lanes(one_after_another(41, turns=1)))
    assert {"41", "connections"} <= set(said)
    assert "B" not in said


def test_colours_tell_six_apart_and_then_are_one():
    def colours(lanes: int) -> set[str]:
        axes = draw_lanes(one_after_another(lanes)).figure.axes[0]
        return {t.get_color() for t in axes.texts if t.get_text() in LETTERS} & set(HUES)

    assert colours(6) == set(HUES)
    assert colours(7) == {HUES[0]}


def test_each_kind_is_named_once_and_each_wait_in_the_queue_has_its_length():
    said = texts(draw_lanes(one_after_another(3)))
    for once in ("thinking", "working"):
        assert said.count(once) == 1
    assert said.count("blocked in recv()") == 2  # the client's, the server's
    queued = [text for text in said if text.startswith("in the accept queue")]
    assert queued == ["in the accept queue 150 ms", "in the accept queue 300 ms"]


def test_of_many_only_the_longest_wait_in_the_queue_is_told():
    said = texts(draw_lanes(one_after_another(12)))
    assert len([text for text in said if text.startswith("in the accept queue")]) == 1


def test_the_one_server_thread_shows_whose_turn_it_is_and_how_long_it_took():
    talked = one_after_another(3)
    said = texts(draw_lanes(talked))
    assert {"the one", "server thread"} <= set(said)
    assert [text for text in said if text in "ABC"] == [*"ABC", *"AABBCC"]
    assert f"{max(c.closed for c in talked.connections) * 1000:.0f} ms" in said


def test_up_to_six_threads_have_a_band_each_and_more_a_stack():
    few = texts(draw_lanes(a_thread_each(5)))
    assert [text for text in few if text.startswith("server thread ")] == [
        f"server thread {i}" for i in range(1, 7)
    ]
    many = draw_lanes(a_thread_each(39))
    assert {"40", "server threads"} <= set(texts(many))
    assert len(boxes(many, "image")) == 1


def test_a_wait_that_outlasts_the_picture_is_named_in_it():
    talk = Talk()
    talk.open(0, 0, 0.2)
    talk.say("client", 100, (100, 100.2), b"x")
    talked = conversation(talk, others=(select(100.5, 3000),))
    longer = one_after_another(3)
    for it in (draw_lanes(talked), draw_lanes(longer, talked)):
        assert "select()" not in texts(it)


def test_waiting_for_anybody_is_named_and_grey():
    talk = Talk()
    talk.open(50, 0, 50.2)
    talk.say("client", 51, (51, 51.2), b"x")
    talked = conversation(talk, others=(select(51.5, 200),))
    talk.call("server", "close", 200.5)
    said = texts(draw_lanes(conversation(talk, others=(select(51.5, 200),))))
    assert {"accept()", "select()"} <= set(said)
    assert talked.connections


def test_what_the_server_waits_for_after_the_last_client_is_left_out():
    talk = Talk()
    talk.open(0, 0, 0.2)
    talk.call("server", "close", 100)
    alone = conversation(talk, others=(select(101, 9000, call="accept"),))
    assert "100 ms" in texts(draw_lanes(alone))


def test_panels_share_one_time_axis():
    slow, quick = one_after_another(3), one_after_another(1)
    together = draw_lanes(slow, quick, titles=["slow", "quick"])
    first, second = _totals(together, slow, quick)
    ends = [max(c.closed for c in talked.connections) for talked in (slow, quick)]
    left = min(x for x, *_ in boxes(together, "bar") if x > 1) - 0.0
    assert (second - left) / (first - left) == pytest.approx(ends[1] / ends[0], abs=0.02)
    assert [text for text in texts(together) if text.startswith("0")] == ["0"]


def _totals(picture, *conversations) -> list[float]:
    """Where each conversation's total begins, in inches."""
    said = dict(zip(texts(picture), boxes(picture, "label"), strict=True))
    ends = [max(c.closed for c in talked.connections) * 1000 for talked in conversations]
    return [said[f"{end:.0f} ms"][0] - 0.1 for end in ends]


def test_arrows_stay_between_the_tracks():
    picture = draw_lanes(one_after_another(2))
    tracks = [box for box in boxes(picture, "bar") if 0.1 < box[3] - box[1] < 0.2]
    heads = boxes(picture, "head")
    assert len(heads) == 8
    for head in heads:
        assert not any(_inside(head, track) for track in tracks)


def _inside(head, track) -> bool:
    return head[0] < track[2] and track[0] < head[2] and head[1] < track[3] and track[1] < head[3]


def test_names_stand_in_place_of_letters():
    names = ["Katharina", "Yu", "Bartholomew-Montgomery III", "Ada", "Émile", "Zoë"]
    picture = draw_lanes(one_after_another(6), names=names)
    said = texts(picture)
    assert {"Katharina", "Yu", "Ada", "Émile", "Zoë"} <= set(said)
    assert any(text.startswith("Bartholomew") and text.endswith("…") for text in said)
    assert overlaps(picture, on_bars=True) == []
    some = draw_lanes(one_after_another(3), names={"B": "Bo"})
    assert {"A", "Bo", "C"} <= set(texts(some))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"names": ["only one"]}, "Give names as a list of 2"),
        ({"names": "AB"}, "Give names as a list of 2"),
        ({"names": {"Q": "Quentin"}}, "no connection 'Q'"),
        ({"titles": []}, "Give titles as a list of 1"),
        ({"titles": "T"}, "Give titles as a list of 1"),
        ({"subtitles": ["a", "b"]}, "Give subtitles as a list of 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_give(given, said):
    with pytest.raises(ValueError, match=said):
        draw_lanes(one_after_another(2), **given)


@pytest.mark.parametrize("given", [(), (Conversation(),)])
def test_nothing_recorded_says_what_to_record(given):
    with pytest.raises(ValueError, match="Connect clients to a server while you record"):
        draw_lanes(*given)


def test_never_accepted_is_said():
    talk = Talk()
    talk.open(0, 0, None)
    talk.call("client", "recv", 1, 100, error="stopped")
    said = texts(draw_lanes(conversation(talk, others=(select(0, 100, call="accept"),))))
    assert "in the accept queue 100 ms, never accepted" in said


def test_a_refused_connection_is_seen_and_named():
    talk = Talk()
    sent = talk.call("client", "connect", 0, error="ECONNREFUSED")
    talk.arrow("handshake", sent)
    picture = draw_lanes(conversation(talk))
    assert "ECONNREFUSED" in texts(picture)
    assert not any("queue" in text for text in texts(picture))
    assert boxes(picture, "dot")
    assert overlaps(picture, on_bars=True) == []


def test_of_a_server_elsewhere_nothing_is_claimed():
    talk = Talk()
    talk.open(0, 0, None)
    talk.call("client", "recv", 1, 100, data=b"x")
    said = texts(draw_lanes(conversation(talk)))
    assert not any("queue" in text or "server thread" in text for text in said)
    assert "blocked in recv()" in said


def test_a_server_whose_client_is_elsewhere():
    talk = Talk()
    talk.call("server", "accept", 0, 10)
    talk.accepted = 0.01
    talk.call("server", "recv", 11, 90, data=b"x")
    said = texts(draw_lanes(conversation(talk)))
    assert {"A", "blocked in recv()", "90 ms"} <= set(said)


def test_datagrams_stand_in_no_queue():
    talk = Talk()
    talk.call("client", "sendto", 0, data=b"x")
    talk.call("server", "recvfrom", 0, 20, data=b"x")
    talk.arrow("data", talk.spans[0], talk.spans[1], b"x")
    said = texts(draw_lanes(conversation(talk)))
    assert not any("queue" in text for text in said)


def test_everything_at_time_zero_is_drawn():
    talk = Talk()
    talk.open(0, 0, 0)
    talk.say("client", 0, (0, 0), b"x")
    picture = draw_lanes(conversation(talk))
    assert "0 ms" in texts(picture)
    assert boxes(picture, "dot")


@pytest.mark.parametrize("size", [41, 1_000, 3_000, 10_000])
def test_no_lane_of_a_crowd_is_lost(size):
    """Each lane inks a place of its own, in turn along the time axis: all are in the pixels."""
    slots = 40
    talks = []
    for i in range(size):
        talk = Talk(f"c{i}")
        start = (i % slots) * 25.0
        talk.call("client", "recv", start, start + 10)
        talks.append(talk)
    last = Talk("the end of time")
    last.call("client", "recv", 999.9, 1000)
    picture = draw_lanes(conversation(*talks, last))
    image = pixels(picture)
    left, top, right, bottom = (round(edge * DPI) for edge in boxes(picture, "image")[0])
    inked = 0
    for i in range(size):
        row = top + int((i + 0.3) * (bottom - top) / (size + 1))
        column = left + int(((i % slots) * 25 + 5) / 1000 * (right - left))
        around = image[row - 3 : row + 4, column - 1 : column + 2]
        inked += bool((around.sum(axis=2) < 3 * 255 - 5).any())
    assert inked == size


def test_a_crowd_marks_the_paper_only_where_there_is_something():
    talks = []
    for i in range(5_000):
        talk = Talk(f"c{i}")
        talk.call("client", "recv", 100, 200)
        talks.append(talk)
    last = Talk("the end of time")
    last.call("client", "recv", 999, 1000)
    picture = draw_lanes(conversation(*talks, last))
    left, top, right, bottom = (round(edge * DPI) for edge in boxes(picture, "image")[0])
    image = pixels(picture)[top : bottom - 4, left:right]
    inked = (image.sum(axis=2) < 765).any(axis=0)
    assert inked.mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("lanes", [1, 7, 600, 5_000])
def test_a_raster_keeps_every_stretch_however_short(lanes):
    raster = Raster(lanes, 100, 50, 1.0)
    starts = np.linspace(0, 1, lanes)
    plane = raster.cover(np.arange(lanes), starts, starts)
    raster.ink(HUES[0], plane)
    inked = raster.pixels()[..., 0] < 255
    assert raster.height == len(inked) <= 100
    assert inked.any(axis=1).sum() >= min(lanes, 50)


def test_a_crowd_is_the_same_picture_each_time_and_in_any_thread():
    talked = one_after_another(41, turns=1)
    with ThreadPoolExecutor(4) as pool:
        again = set(pool.map(lambda _: draw_lanes(talked).png(), range(4)))
    assert again == {draw_lanes(talked).png()}


def test_the_same_conversation_gives_the_same_bytes_and_the_words_are_the_repr():
    talked = one_after_another(3)
    picture = draw_lanes(talked, words="three clients")
    assert repr(picture) == "three clients"
    assert picture.png() == draw_lanes(talked).png()


@pytest.mark.parametrize(
    ("seconds", "last", "count"),
    [
        (0.92, 0.9, 10),
        (0.001, 0.001, 11),
        (0.38, 0.35, 8),
        (1.0, 1.0, 11),
        (60, 60, 7),
        (25, 25, 6),
    ],
)
def test_ticks_are_round(seconds, last, count):
    found = ticks(seconds)
    assert found[0] == 0
    assert found[-1] == pytest.approx(last)
    assert len(found) == count


@pytest.mark.parametrize("seconds", [0.0013, 0.7, 9.9, 10.1, 3600, 86400])
def test_the_unit_is_on_the_last_tick_only(seconds):
    talk = Talk()
    talk.call("client", "recv", 0, seconds * 1000)
    picture = draw_lanes(conversation(talk))
    said = [text for text in texts(picture) if text[:1].isdigit()]
    assert len([text for text in said if text.endswith((" s", " ms"))]) == 1
    assert overlaps(picture, on_bars=True) == []


def test_letters_are_legible_on_every_hue():
    assert [on(hue) for hue in HUES] == ["#ffffff"] * 3 + ["#222222"] * 3
