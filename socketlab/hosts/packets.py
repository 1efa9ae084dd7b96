"""What went through the cable between two hosts: TCP packets, read from the bytes of a capture."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from socketlab.hosts.places import HOSTS
from socketlab.words import aligned

FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK")  # from the lowest bit up: RFC 9293
ORDER = ("SYN", "FIN", "RST", "PSH", "ACK")  # as they are said
MAGIC = b"\xd4\xc3\xb2\xa1"  # pcap-savefile(5): little end first, microseconds
ETHERNET, IPV4, TCP = 14, b"\x08\x00", 6
LONGEST = 30  # characters of a payload that are shown
NAMES = {address: name for name, (address, _) in HOSTS.items()}


@dataclass(frozen=True, slots=True)
class Packet:
    """One TCP packet: when it left its host, in seconds since the first one, and what it said.

    `source` and `target` are (host, port), `flags` as in "SYN+ACK". `seq` and `ack` count bytes
    from a number that each side chooses by chance.
    """

    time: float
    source: tuple[str, int]
    target: tuple[str, int]
    flags: str
    seq: int
    ack: int
    data: bytes = b""

    @property
    def side(self) -> str:
        """The name of the host that it came from, its address if it has no name."""
        return NAMES.get(self.source[0], self.source[0])


class Packets:
    """The packets of a capture, in the order in which they left. Its repr is a table of them.

    `delay` is how long each was on the way, in seconds; `note` says where they are from, if not
    from the hosts that were asked for them.
    """

    def __init__(self, capture: bytes, delay: float, note: str = "") -> None:
        self.capture, self.delay, self.note = capture, delay, note
        self._packets = list(read(capture))

    def __iter__(self) -> Iterator[Packet]:
        return iter(self._packets)

    def __len__(self) -> int:
        return len(self._packets)

    def __getitem__(self, place: int) -> Packet:
        return self._packets[place]

    def save(self, path: str | Path) -> Path:
        """Write them to `path` as a pcap file, which Wireshark and tcpdump open; the path.

        OSError if it cannot be written.
        """
        path = Path(path)
        path.write_bytes(self.capture)
        return path

    def __repr__(self) -> str:
        table = aligned([("left", "", "right", "data"), *map(_row, self)])
        return "\n".join(filter(None, [table, self.note]))


def _row(packet: Packet) -> tuple[str, str, str, str]:
    data = f"{len(packet.data):,} bytes" if len(repr(packet.data)) > LONGEST else repr(packet.data)
    shown = data if packet.data else ""
    if packet.side == "right":
        return "", "<--", packet.flags, shown
    return packet.flags, "-->", "", shown


# --- reading -------------------------------------------------------------------------------------


def read(capture: bytes) -> Iterator[Packet]:
    """Every TCP packet over IPv4 in the bytes of a pcap file, whose frames are Ethernet's.

    Frames that are cut off, or are anything else, are left out. ValueError for another format.
    """
    if capture[:4] != MAGIC or len(capture) < 24:
        raise ValueError("this is not a capture: pass the bytes of a pcap file")
    first = None
    for stamp, frame in frames(capture):
        first = stamp if first is None else first
        if packet := parse(frame, (stamp - first) / 1e6):
            yield packet


def frames(capture: bytes) -> Iterator[tuple[int, bytes]]:
    """(microseconds, frame) of each frame in a pcap file that is there as a whole."""
    place = 24
    while place + 16 <= len(capture):
        seconds, micros, size, _ = struct.unpack_from("<IIII", capture, place)
        frame = capture[place + 16 : place + 16 + size]
        if len(frame) == size:
            yield seconds * 1_000_000 + micros, frame
        place += 16 + size


def parse(frame: bytes, time: float = 0.0) -> Packet | None:
    """The TCP packet in an Ethernet frame, None if there is no whole one (RFC 791, RFC 9293)."""
    packet = frame[ETHERNET:]
    if frame[12:14] != IPV4 or len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    start, size = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
    segment = packet[start:size]  # what follows is padding
    if packet[9] != TCP or fragment or len(packet) < size or start < 20 or len(segment) < 20:
        return None
    source, target, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", segment)
    hosts = (".".join(map(str, packet[i : i + 4])) for i in (12, 16))
    ends = zip(hosts, (source, target), strict=True)
    data = segment[max(20, (offset >> 4) * 4) :]
    return Packet(time, *ends, flags=_names(flags), seq=seq, ack=ack, data=data)


def _names(bits: int) -> str:
    there = {name for place, name in enumerate(FLAGS) if bits >> place & 1}
    return "+".join(name for name in ORDER if name in there)
