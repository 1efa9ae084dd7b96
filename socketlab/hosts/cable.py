"""The process that holds two hosts, and is the cable between them.

It stands alone: it is started as a program, and makes three network namespaces. Two are the hosts,
each with one network card, `eth0`; the far ends of both cards are in the third. Frames that come
out of one card go into the other, `delay` seconds later. So no kernel needs netem for it.

Requests come on a socket, one JSON list a message: ["socket", host, type] is answered by a
descriptor, ["end"] by that of a capture file (pcap), once the cable is at rest. When the other end
of that socket is closed the process ends, and with it the namespaces, the cards and the cable.
"""

import array
import ctypes
import errno
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from select import select

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # sched.h
SIOCETHTOOL, OFFLOADS = 0x8946, (0x17, 0x1F, 0x24)  # ethtool.h: STXCSUM, STSO, SGSO
ETH_P_ALL, PACKET_OUTGOING = 3, 4  # if_ether.h, if_packet.h
IPV6 = b"\x86\xdd"  # neighbour discovery and the like: neither host has asked for it
PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)  # pcap-savefile(5), Ethernet
MOST = 10_000  # frames that a capture keeps
QUIET = 0.05  # seconds, and two delays, without a frame: nothing more will come

LINK = """
link add {name} type veth peer name eth0 netns /proc/self/fd/{descriptor}
link set {name} up
"""
CARD = """
link set lo up
link set eth0 address {card}
link set eth0 up
address add {address}/24 dev eth0
neighbour add {other} lladdr {other_card} dev eth0 nud permanent
"""

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> None:
    """OSError if a call of the C library failed."""
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def leave_namespace() -> None:
    """Go into a new network namespace: as root, else in a user namespace of this process."""
    user, group = os.geteuid(), os.getegid()
    try:
        checked(libc.unshare(CLONE_NEWNET))
    except PermissionError:
        checked(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET))
        for file, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {user} 1"),
            ("gid_map", f"0 {group} 1"),
        ):
            with open(f"/proc/self/{file}", "w") as out:
                out.write(text)


def namespace() -> int:
    """The descriptor of the network namespace that this process is in."""
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def enter(descriptor: int) -> None:
    """Go into that network namespace."""
    checked(libc.setns(descriptor, CLONE_NEWNET))


def ip(commands: str, *descriptors: int) -> None:
    """Run commands of ip(8), one a line, in the namespace that this process is in."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    program = shutil.which("ip", path=path)
    if not program:
        raise OSError(errno.ENOENT, "the program ip (package iproute2) is not installed")
    run = subprocess.run(
        [program, "-batch", "-"],
        input=commands,
        pass_fds=descriptors,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise OSError(errno.EPERM, f"ip says: {run.stderr.strip().splitlines()[0]}")


def send_plain_frames(card: str) -> None:
    """Let a card's frames be as they would be on a wire: of normal size, with their checksums."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for offload in OFFLOADS:
            value = array.array("B", struct.pack("II", offload, 0))
            request = struct.pack("16sP", card.encode(), value.buffer_info()[0])
            fcntl.ioctl(sock, SIOCETHTOOL, request)


class Cable:
    """Two hosts, by name with their (address, card), and the frames on the way between them."""

    def __init__(self, places: dict[str, tuple[str, str]], delay: float) -> None:
        self.places, self.delay = places, delay
        leave_namespace()
        middle = namespace()
        self.hosts: dict[str, int] = {}
        for host in places:
            checked(libc.unshare(CLONE_NEWNET))
            self.hosts[host] = namespace()
        self.ends = [self.plug_in(host, middle) for host in places]
        for host in places:
            self.set_up(host)
        self.flying: deque[tuple[float, socket.socket, bytes]] = deque()
        self.last = 0.0  # when a frame was last seen
        self.capture = os.memfd_create("capture")
        os.write(self.capture, PCAP)
        self.kept = 0

    def plug_in(self, host: str, middle: int) -> socket.socket:
        """Give `host` its card; a socket on the card's far end."""
        enter(middle)
        ip(LINK.format(name=host, descriptor=self.hosts[host]), self.hosts[host])
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        end.bind((host, ETH_P_ALL))
        end.setblocking(False)
        return end

    def set_up(self, host: str) -> None:
        (other,) = self.places.keys() - {host}
        enter(self.hosts[host])
        own, peer = self.places[host], self.places[other]
        send_plain_frames("eth0")
        ip(CARD.format(address=own[0], card=own[1], other=peer[0], other_card=peer[1]))

    def run(self, control: socket.socket) -> None:
        """Carry frames and answer requests, until the other end of `control` is closed."""
        ending = False
        while True:
            rest = self.last + QUIET + 2 * self.delay - time.monotonic()
            if ending and rest < 0 and not self.flying:
                return answer(control, [], self.capture)
            timeout = self.deliver()
            if ending:
                timeout = max(0, rest) if timeout is None else timeout
            ready, _, _ = select([control, *self.ends], [], [], timeout)
            for end in self.ends:
                if end in ready:
                    self.take(end)
            if control in ready:
                request = control.recv(1000)
                if not request:
                    return None
                ending = ending or self.obey(control, *json.loads(request))
                self.last = max(self.last, time.monotonic() if ending else 0)

    def obey(self, control: socket.socket, what: str, host: str = "", kind: int = 0) -> bool:
        """Do what is asked; whether that was to end."""
        if what == "socket":
            enter(self.hosts[host])
            with socket.socket(socket.AF_INET, kind) as sock:
                answer(control, [], sock.fileno())
        return what == "end"

    def take(self, end: socket.socket) -> None:
        """Take the frames that came out of the card at `end`."""
        (other,) = (each for each in self.ends if each is not end)
        with suppress(BlockingIOError):
            while True:
                frame, (_, _, kind, *_) = end.recvfrom(65536)
                if kind != PACKET_OUTGOING and frame[12:14] != IPV6:
                    self.last = time.monotonic()
                    self.flying.append((self.last + self.delay, other, frame))
                    self.keep(frame)

    def keep(self, frame: bytes) -> None:
        """Note a frame, with the time at which it went into the cable."""
        self.kept += 1
        if self.kept <= MOST:
            seconds, rest = divmod(time.time_ns(), 1_000_000_000)
            head = struct.pack("<IIII", seconds, rest // 1000, len(frame), len(frame))
            os.write(self.capture, head + frame)

    def deliver(self) -> float | None:
        """Put the frames whose time has come into the other card; seconds until the next."""
        while self.flying:
            due, end, frame = self.flying[0]
            if (left := due - time.monotonic()) > 0:
                return left
            self.flying.popleft()
            with suppress(OSError):  # a full queue loses frames, as cables do
                end.send(frame)
        return None


def answer(control: socket.socket, reply: list, *descriptors: int) -> None:
    """Send a reply, and descriptors with it."""
    socket.send_fds(control, [json.dumps(reply).encode()], descriptors)


def main(descriptor: int, places: dict[str, tuple[str, str]], delay: float) -> None:
    """Be the cable for whoever has the other end of the socket at `descriptor`."""
    with suppress(PermissionError):
        os.nice(-10)  # so that a busy machine does not make the cable longer
    with socket.socket(fileno=descriptor) as control:
        try:
            cable = Cable(places, delay)
        except OSError as error:
            answer(control, [error.strerror])
        else:
            answer(control, [])
            cable.run(control)


if __name__ == "__main__":
    main(*map(json.loads, sys.argv[1:]))
