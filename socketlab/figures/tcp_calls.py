"""The image `tcp_socket.png`: the calls of a server and a client, and what TCP sends for them."""

from __future__ import annotations

from typing import NamedTuple

from socketlab.figures.boxes import (
    COLOUR,
    LINE,
    WIDTH,
    draw_arrow,
    draw_box,
    draw_flight,
    draw_path,
    start_sheet,
    write_notes,
)
from socketlab.figures.palette import GREY, IDLE, INK, PAPER, tint
from socketlab.figures.picture import Picture
from socketlab.figures.sheet import Sheet

SIDES = {"client": (0.35, 2.4), "server": (5.4, 7.8)}  # from left to right of a side's calls
KERNELS = {"client": 2.85, "server": 4.95}
NEXT = 8.08  # the way back to accept()
BAR = 0.05  # half the width of a kernel
DROP = 0.2  # how much later the other kernel has it


class Call(NamedTuple):
    """One call of one side, from one height to another; `note` says what it waits for."""

    side: str
    top: float
    bottom: float
    words: str
    note: str = ""


class Flight(NamedTuple):
    """What one kernel sends; `asked`: for a call of its program, `given`: to the other program."""

    source: str
    y: float
    label: str
    asked: bool = True
    given: bool = True


CALLS = (
    Call("server", 1.70, 2.02, "listener = socket()"),
    Call("server", 2.17, 2.49, "listener.bind(address)"),
    Call("server", 2.64, 2.96, "listener.listen()"),
    Call("client", 2.64, 2.96, "sock = socket()"),
    Call(
        "client",
        3.11,
        4.06,
        "sock.connect(address)",
        "waits for the answer\nof the server's kernel",
    ),
    Call(
        "server",
        3.11,
        4.21,
        "conn, _ = listener.accept()",
        "waits for a connection\nin the accept queue;\nconn is a new socket",
    ),
    Call("client", 5.13, 5.45, "sock.sendall(data)"),
    Call("server", 4.98, 5.68, "data = conn.recv(1024)", "waits for data"),
    Call("server", 5.93, 6.25, "conn.sendall(data)"),
    Call("client", 5.78, 6.48, "data = sock.recv(1024)", "waits for data"),
    Call("client", 7.03, 7.35, "sock.close()"),
    Call("server", 6.88, 7.58, "data = conn.recv(1024)", 'returns b"": the end'),
    Call("server", 7.83, 8.15, "conn.close()"),
)
FLIGHTS = (
    Flight("client", 3.26, "SYN", given=False),
    Flight("server", 3.56, "SYN+ACK", asked=False),
    Flight("client", 3.86, "ACK", asked=False),
    Flight("client", 5.29, "data"),
    Flight("server", 6.09, "data"),
    Flight("client", 7.19, "FIN"),
    Flight("server", 7.99, "FIN", given=False),
)
WORDS = """\
client                       between the kernels  server
                                                  listener = socket()
                                                  listener.bind(address)
sock = socket()                                   listener.listen()
sock.connect(address)        SYN ->               conn, _ = listener.accept(): waits
                             <- SYN+ACK
sock.connect() returns       ACK ->               the connection is in the accept queue
                                                  listener.accept() returns conn, a new socket
again and again:
    sock.sendall(data)       data ->              data = conn.recv(1024)
    data = sock.recv(1024)   <- data              conn.sendall(data)
sock.close()                 FIN ->               conn.recv(1024) returns b"", the end
                             <- FIN               conn.close()
                                                  back to listener.accept(): the next client"""


def draw_tcp_socket() -> Picture:
    """What a server and a client call, and what their kernels send each other for it."""
    sheet = start_sheet(
        8.85,
        "Two programs make the calls, two kernels make the connection",
        "Black: your data. Grey: what the kernels do for it. A tinted call waits.",
    )
    _draw_columns(sheet, 1.33, 8.35)
    _draw_repeats(sheet)
    for call in CALLS:
        _draw_call(sheet, call)
    for flight in FLIGHTS:
        _draw_flight(sheet, flight)
    _draw_remarks(sheet)
    return Picture(sheet.figure, WORDS)


def _draw_columns(sheet: Sheet, y: float, bottom: float) -> None:
    for side, (left, right) in SIDES.items():
        sheet.text(
            (left + right) / 2, y, side, size=16, bold=True, colour=COLOUR[side], ha="center"
        )
        write_notes(sheet, KERNELS[side], y + 0.02, "kernel")
        sheet.bars([(KERNELS[side] - BAR, y + 0.2, KERNELS[side] + BAR, bottom)], IDLE)
    write_notes(sheet, sum(KERNELS.values()) / 2, y + 0.02, "network")


def _draw_repeats(sheet: Sheet) -> None:
    """What happens again: the exchange for each message, and all of it for each client."""
    (left, _), (_, right) = SIDES.values()
    draw_box(sheet, (left - 0.12, 4.72, right + 0.12, 6.63), fill="none")
    write_notes(sheet, left, 4.89, "again and again", "left")
    way = [(right, 7.99), (NEXT, 7.99), (NEXT, 3.29), (right, 3.29)]
    draw_path(sheet, way, colour=GREY, width=1.6)
    write_notes(sheet, NEXT + 0.07, 5.55, "next\nclient", "left")


def _draw_call(sheet: Sheet, call: Call) -> None:
    (left, right), colour = SIDES[call.side], COLOUR[call.side]
    fill = tint(colour) if call.note else PAPER
    draw_box(sheet, (left, call.top, right, call.bottom), fill=fill, edge=colour)
    lines = call.note.split("\n") if call.note else []
    x, y = (left + right) / 2, (call.top + call.bottom - len(lines) * LINE) / 2
    sheet.text(x, y - (0.03 if lines else 0), call.words, size=10, mono=True, ha="center")
    write_notes(sheet, x, y + 0.22, call.note)


def _draw_flight(sheet: Sheet, flight: Flight) -> None:
    """From a program to its kernel, from kernel to kernel, and from that one to its program."""
    target = "server" if flight.source == "client" else "client"
    own, other = _beside_kernel(flight.source), _beside_kernel(target)
    stroke = (own, flight.y, other, flight.y + DROP)
    kernels = flight.label != "data"
    draw_flight(sheet, stroke, flight.label, kernels=kernels, size=10)
    colour = GREY if kernels else INK
    if flight.asked:
        _draw_crossing(sheet, flight.source, flight.y, colour, down=True)
    if flight.given:
        _draw_crossing(sheet, target, flight.y + DROP, colour, down=False)


def _beside_kernel(side: str) -> float:
    """Where the network begins beside a kernel."""
    return KERNELS[side] + (BAR if side == "client" else -BAR)


def _draw_crossing(sheet: Sheet, side: str, y: float, colour: str, *, down: bool) -> None:
    """Between a program and its kernel: down into the kernel for a call, or up from it."""
    if side == "client":
        ends = SIDES[side][1], KERNELS[side] - BAR
    else:
        ends = SIDES[side][0], KERNELS[side] + BAR
    start, end = ends if down else ends[::-1]
    draw_arrow(sheet, (start, y, end, y), colour)


def _draw_remarks(sheet: Sheet) -> None:
    x = KERNELS["server"] - 0.12
    _draw_crossing(sheet, "server", 2.8, GREY, down=True)
    write_notes(sheet, x, 2.71, "from here on,\nclients can connect", "right")
    write_notes(sheet, x, 4.24, "handshake done:\nin the accept queue", "right")
    write_notes(sheet, WIDTH / 2, 8.55, "Data and FIN are acknowledged too (ACK): not drawn here.")
