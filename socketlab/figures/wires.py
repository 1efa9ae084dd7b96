"""The images `localhost.png` and `ethernet.png`: which way the bytes go."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.patches import Polygon

from socketlab.figures.boxes import COLOUR, NOTE, draw_box, draw_path, start_sheet, write_notes
from socketlab.figures.palette import GREY, HAIRLINE, IDLE, INK, PAPER, tint
from socketlab.figures.picture import Picture
from socketlab.figures.sheet import Box, Sheet

NAME = 10.0  # points
BYTES = 2.6  # points, of the way that the bytes take
LAYER = 0.36  # inches high
CALLS = {"client": 'sock.sendall(b"hello, world")', "server": "conn.recv(1024)"}


class Host(NamedTuple):
    """One of two hosts: its left edge, where its layers are named, and its addresses.

    They are of the ranges kept for documentation (RFC 5737, RFC 7042).
    """

    side: str
    title: str
    left: float
    names: float
    ip: str
    mac: str
    port: str

    def layers(self) -> tuple[tuple[str, str], ...]:
        """Each layer with what it knows this host by, from the program down."""
        return ("TCP", self.port), ("IP", self.ip), ("network card", self.mac)


class Wrap(NamedTuple):
    """One layer's box on the cable: where it is drawn, what it is, who sends it to whom."""

    box: Box
    name: str
    reach: str
    source: str
    target: str


HOSTS = (
    Host("client", "one host", 0.35, 0.7, "192.0.2.10", "00:00:5e:00:53:10", "port 50123"),
    Host("server", "another host", 4.85, 5.62, "192.0.2.20", "00:00:5e:00:53:20", "port 65432"),
)
WAY = [(3.36, 2.24), (3.36, 4.4), (5.39, 4.4), (5.39, 2.28)]
_ONE, _TWO = HOSTS
WRAPS = (
    Wrap((0.35, 5.2, 8.4, 6.8), "Ethernet frame", "card to card", _ONE.mac, _TWO.mac),
    Wrap((2.3, 5.32, 7.75, 6.68), "IP packet", "host to host", _ONE.ip, _TWO.ip),
    Wrap((4.0, 5.44, 7.63, 6.56), "TCP segment", "program to program", _ONE.port, _TWO.port),
)

LOCALHOST_WORDS = """\
One host. The way of the bytes:
  client   sock.sendall(b"hello, world")   127.0.0.1:50123
  down through TCP and IP in the kernel
  lo, the loopback interface               127.0.0.1 and ::1
  up through IP and TCP in the kernel
  server   conn.recv(1024)                 127.0.0.1:65432
The network card (192.0.2.10) and the network are not used."""

ETHERNET_WORDS = """\
Two hosts. The way of the bytes:
  client   sock.sendall(b"hello, world")   192.0.2.10, port 50123
  down through TCP and IP in the kernel
  network card 00:00:5e:00:53:10
  a cable, a switch, a cable
  network card 00:00:5e:00:53:20
  up through IP and TCP in the kernel
  server   conn.recv(1024)                 192.0.2.20, port 65432
On the cable, each inside the one before:
  Ethernet frame  card to card        00:00:5e:00:53:10 -> 00:00:5e:00:53:20
  IP packet       host to host        192.0.2.10 -> 192.0.2.20
  TCP segment     program to program  port 50123 -> port 65432
  your bytes      b"hello, world\""""


def draw_localhost() -> Picture:
    """Two programs on one host: the bytes turn round in the kernel, at the loopback interface."""
    sheet = start_sheet(
        5.95,
        "On loopback, the bytes never leave the host",
        "127.0.0.1 belongs to the interface lo. TCP and IP have work, the network card has none.",
    )
    draw_box(sheet, (0.35, 1.05, 8.4, 5.1))
    write_notes(sheet, 8.2, 1.27, "one host", "right")
    _draw_program(sheet, "client", (0.75, 1.27, 3.4, 2.25), "127.0.0.1:50123")
    _draw_program(sheet, "server", (3.85, 1.27, 6.5, 2.25), "127.0.0.1:65432")
    _draw_border(sheet, 0.55, 8.2, 2.56)
    for top, name, does in ((2.86, "TCP", "from port to port"), (3.34, "IP", "from host to host")):
        _draw_layer(sheet, (0.55, top, 8.2, top + LAYER), name, 0.7)
        write_notes(sheet, 3.62, top + LAYER / 2, does)
    draw_box(sheet, (0.75, 3.82, 6.5, 4.87), edge=INK)
    sheet.text(3.62, 4.36, "lo: the loopback interface", size=NAME, bold=True, ha="center")
    write_notes(sheet, 3.62, 4.6, "127.0.0.1 and ::1")
    draw_path(sheet, [(2.07, 2.25), (2.07, 4.1), (5.17, 4.1), (5.17, 2.27)], width=BYTES)
    _draw_idle_card(sheet, (6.75, 3.82, 8.2, 4.87))
    return Picture(sheet.figure, LOCALHOST_WORDS)


def draw_ethernet() -> Picture:
    """Two hosts on one network: the way of the bytes, and what each layer puts around them."""
    sheet = start_sheet(
        7.2,
        "Between hosts, each layer wraps what it is given",
        "On the cable, your bytes are inside a segment, inside a packet, inside a frame.",
    )
    for host in HOSTS:
        _draw_host(sheet, host)
    _draw_cable(sheet)
    for number, wrap in enumerate(WRAPS):
        _draw_wrap(sheet, wrap, number)
    _draw_contents(sheet)
    return Picture(sheet.figure, ETHERNET_WORDS)


# What both are made of


def _draw_program(sheet: Sheet, side: str, box: Box, address: str = "") -> None:
    left, top, right, bottom = box
    draw_box(sheet, box, fill=tint(COLOUR[side]), edge=COLOUR[side])
    x, y = (left + right) / 2, (top + bottom) / 2 - (0.27 if address else 0.14)
    sheet.text(x, y, side, size=12, bold=True, ha="center")
    sheet.text(x, y + 0.29, CALLS[side], size=10, mono=True, ha="center")
    if address:
        sheet.text(x, y + 0.56, address, size=NOTE, mono=True, colour=GREY, ha="center")


def _draw_layer(sheet: Sheet, box: Box, name: str, x: float) -> None:
    """One layer of a host, its name from x on."""
    sheet.bars([box], IDLE, gid="layer")
    sheet.text(x, (box[1] + box[3]) / 2, name, size=NAME, bold=True)


# On one host


def _draw_border(sheet: Sheet, left: float, right: float, y: float) -> None:
    """Where the programs end and the kernel begins."""
    sheet.line([(left, y, right, y)], HAIRLINE, 1.3, dashes=(3, 3), over=3)
    write_notes(sheet, right, y - 0.14, "programs", "right")
    write_notes(sheet, right, y + 0.15, "kernel", "right")


def _draw_idle_card(sheet: Sheet, box: Box) -> None:
    left, _, right, bottom = box
    x = (left + right) / 2
    draw_box(sheet, box)
    write_notes(sheet, x, 4.26, "network card\n192.0.2.10")
    sheet.line([(x, bottom, x, bottom + 0.5)], HAIRLINE, 2, over=3)
    write_notes(sheet, x, bottom + 0.64, "the network: not used")


# Between two hosts


def _draw_host(sheet: Sheet, host: Host) -> None:
    left, right = host.left, host.left + 3.55
    draw_box(sheet, (left, 1.05, right, 4.0))
    write_notes(sheet, left + 0.2, 1.23, host.title, "left")
    _draw_program(sheet, host.side, (left + 0.2, 1.42, right - 0.2, 2.24))
    for number, (name, address) in enumerate(host.layers()):
        top = 2.46 + 0.46 * number
        _draw_layer(sheet, (left + 0.2, top, right - 0.2, top + LAYER), name, host.names)
        write_notes(sheet, host.names + 2.44, top + LAYER / 2, address, "right")


def _draw_cable(sheet: Sheet) -> None:
    """The way of the bytes through both hosts and the switch; the frame on it, seen larger."""
    beam = Polygon([(3.74, 4.4), (0.4, 5.2), (8.35, 5.2)], facecolor=tint(INK, 0.07), zorder=0)
    sheet.axes.add_patch(beam)
    draw_box(sheet, (4.05, 4.25, 4.7, 4.55), edge=INK)
    write_notes(sheet, 4.375, 4.12, "switch")
    draw_path(sheet, WAY, width=BYTES)
    sheet.bars([(3.66, 4.33, 3.82, 4.47)], INK, over=5, gid="frame")


def _draw_wrap(sheet: Sheet, wrap: Wrap, depth: int) -> None:
    """A box on the wire, with its header at the left and room for its contents."""
    draw_box(sheet, wrap.box, fill=tint(INK, (0.12, 0.05, 0.0)[depth]), edge=GREY)
    x, y = wrap.box[0] + 0.12, 5.68
    sheet.text(x, y, wrap.name, size=NAME, bold=True)
    write_notes(sheet, x, y + 0.2, wrap.reach, "left")
    sheet.text(x, y + 0.45, wrap.source, size=NOTE, mono=True)
    sheet.text(x, y + 0.63, f"→ {wrap.target}", size=NOTE, mono=True)


def _draw_contents(sheet: Sheet) -> None:
    draw_box(sheet, (5.75, 5.56, 7.51, 6.44), fill=PAPER, edge=INK)
    sheet.text(6.63, 5.9, "your bytes", size=NAME, bold=True, ha="center")
    sheet.text(6.63, 6.15, 'b"hello, world"', size=NAME, mono=True, ha="center")
    write_notes(sheet, 8.07, 5.9, "check-\nsum", "center")
