"""Packets between two hosts: who sent which, when, and what it was for; time running down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from socketlab.figures.boxes import COLOUR, draw_flight
from socketlab.figures.palette import GREY, HAIRLINE
from socketlab.figures.picture import Picture
from socketlab.figures.sheet import MARGIN, WIDTH, Sheet, duration, heading_height

LIFELINE = {"left": 2.4, "right": 9.3}  # inches
SIZE, SMALL = 10.0, 9.0  # points
HEADER = 0.6  # from the hosts' names to the first packet
TRIP = 0.42  # how far a packet falls on its way
STEP = 0.3  # from one packet to the next that leaves at the same moment
TOGETHER = 0.25  # of a trip: what leaves within it left at the same moment
PHASES = {"handshake": "the handshake", "data": "the data", "goodbye": "the goodbye"}
MOST = 60  # packets drawn
SUBTITLE = "Time runs down. Dashed: the kernels talk to each other. Solid: your bytes."


class Packet(Protocol):
    """What is drawn of a packet."""

    @property
    def time(self) -> float: ...
    @property
    def side(self) -> str: ...  # "left" or "right", where it came from
    @property
    def flags(self) -> str: ...
    @property
    def data(self) -> bytes: ...


class Packets(Protocol):
    """A capture; its repr is the text equivalent."""

    @property
    def delay(self) -> float: ...
    @property
    def note(self) -> str: ...
    def __iter__(self) -> Iterator[Packet]: ...


@dataclass
class Placed:
    """A packet, and the heights at which it leaves and arrives, in inches."""

    packet: Packet
    phase: str
    together: bool  # with the one before it
    leaves: float
    arrives: float


def draw_packets(
    packets: Packets, *, title: str | None = None, subtitle: str | None = SUBTITLE
) -> Picture:
    """The packets that went between two hosts, one arrow each, as the cable has seen them.

    `packets` are those of `two_hosts()`. TypeError for anything else, ValueError for none or more
    than 60.
    """
    if not hasattr(packets, "delay"):
        raise TypeError(f"{packets!r:.80} are no packets: pass those of hosts = two_hosts()")
    if not 0 < len(found := [*packets]) <= MOST:
        raise ValueError(f"there are {len(found)} packets: from 1 to {MOST} can be drawn")
    shown = title or f"{len(found)} packets for one conversation"
    beneath = " ".join(filter(None, [subtitle, packets.note]))
    top = MARGIN + heading_height(MARGIN, shown, beneath) + 0.3
    placed = list(_place(found, packets.delay, top + HEADER))
    bottom = max(it.arrives for it in placed) + 0.25
    sheet = Sheet(WIDTH, bottom + MARGIN)
    sheet.heading(MARGIN, MARGIN, shown, beneath)
    _draw_lifelines(sheet, found[0].side, top, bottom)
    for it in placed:
        _draw_packet(sheet, it)
    _draw_times(sheet, placed)
    _draw_phases(sheet, placed)
    return Picture(sheet.figure, repr(packets))


def _place(packets: Iterable[Packet], delay: float, y: float) -> Iterator[Placed]:
    """Each packet at a height for its time; what leaves together is drawn apart."""
    trip = max(delay, 0.001)
    before, shifted, phases = None, 0.0, _phases()
    next(phases)
    for packet in packets:
        together = bool(before) and packet.time - before.time < TOGETHER * trip
        if together:
            shifted += STEP
        elif before:
            late = packet.time - before.time - trip
            shifted -= max(0.0, late) / trip * TRIP  # pauses are no part of the picture
        leaves = y + packet.time / trip * TRIP + shifted
        yield Placed(packet, phases.send(packet), together, leaves, leaves + TRIP)
        before = packet


def _phases() -> Iterator[str]:
    """What each packet that is sent in is for."""
    phase = "handshake"
    packet = yield ""
    while True:
        if "FIN" in packet.flags or "RST" in packet.flags:
            phase = "goodbye"
        elif packet.data:
            phase = "data"
        packet = yield phase


def _draw_lifelines(sheet: Sheet, caller: str, top: float, bottom: float) -> None:
    for side, x in LIFELINE.items():
        role = "client" if side == caller else "server"
        sheet.text(x, top, role, size=16, bold=True, colour=COLOUR[role], ha="center")
        sheet.text(x, top + 0.24, f"{side} host", size=SMALL, colour=GREY, ha="center")
        sheet.line([(x, top + 0.4, x, bottom)], HAIRLINE, 1.2)


def _draw_packet(sheet: Sheet, it: Placed) -> None:
    left, right = LIFELINE["left"] + 0.08, LIFELINE["right"] - 0.08
    x0, x1 = (right, left) if it.packet.side == "right" else (left, right)
    data = it.packet.data
    said = repr(data) if len(data) <= 16 else f"{len(data):,} bytes"
    label = f"{it.packet.flags}  {said}" if data else it.packet.flags
    stroke = (x0, it.leaves, x1, it.arrives)
    draw_flight(sheet, stroke, label, kernels=not data, size=SIZE)


def _draw_times(sheet: Sheet, placed: list[Placed]) -> None:
    """When each leaves, beside the host that it leaves; once for what leaves together."""
    for it in placed:
        if not it.together:
            away, ha = (0.3, "left") if it.packet.side == "right" else (-0.3, "right")
            x, time = LIFELINE[it.packet.side] + away, it.packet.time
            text = duration(time) if time else "0 ms"
            sheet.text(x, it.leaves, text, size=SMALL, colour=GREY, ha=ha)


def _draw_phases(sheet: Sheet, placed: list[Placed]) -> None:
    groups = [[*group] for _, group in groupby(placed, key=lambda it: it.phase)]
    for group, after in zip(groups, [*groups[1:], None], strict=True):
        top = group[0].leaves
        bottom = after[0].leaves - 0.08 if after else group[-1].arrives
        sheet.line([(0.28, top, 0.28, bottom)], HAIRLINE, 3)
        sheet.text(0.4, (top + bottom) / 2, PHASES[group[0].phase], size=SMALL, colour=GREY)
