"""Scripted peers: what the other end of a connection may do, step by step and without luck.

Every function takes a connected TCP socket on this machine, in any mode. Where a step must not
begin before the program at the other end has read the one before, the kernel is asked (Linux);
elsewhere the pieces are sent apart, and the program may or may not read them apart.
"""

from __future__ import annotations

import errno
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

LIMIT = 5.0  # seconds
SMALL = 4096  # bytes: a buffer that is soon full
ETHERNET = 1460  # bytes: a segment that is small
_DATA_SEGS_IN = 152  # where struct tcp_info (linux/tcp.h) has tcpi_data_segs_in, since Linux 4.6
_NETLINK_SOCK_DIAG, _BY_FAMILY = 4, 20  # linux/netlink.h, linux/sock_diag.h
_RQUEUE = 16 + 4 + 48 + 4  # where an answer has idiag_rqueue (linux/inet_diag.h)
_TCP_CLOSE = 7  # include/net/tcp_states.h
_LINGER = "hh" if sys.platform == "win32" else "ii"  # struct linger: on or off, seconds


def every_split(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(head, tail) of `data` for every place between two of its bytes."""
    return ((data[:at], data[at:]) for at in range(1, len(data)))


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    """The pieces of `data` between these offsets; offsets at its ends and twice cut nothing."""
    edges = sorted({0, len(data), *(n for n in at if 0 < n < len(data))})
    return [data[a:b] for a, b in pairwise(edges)]


def random_cuts(data: bytes, rng: random.Random, count: int) -> list[bytes]:
    """`data` cut at `count` random places (fewer, if it is short): the same for the same rng."""
    places = range(1, len(data))
    return cut(data, rng.sample(places, min(count, len(places))))


def small_buffers(sock: socket.socket, nbytes: int = SMALL) -> None:
    """Let the kernel keep little for `sock`. Before connect() or listen(), to be in force."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, nbytes)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, nbytes)


def small_segments(sock: socket.socket) -> None:
    """Let the kernel at the other end keep little for this connection. Before connect().

    It keeps room for ten segments and more, and on loopback a segment has 64 KiB."""
    if hasattr(socket, "TCP_MAXSEG"):
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, ETHERNET)


def send_at_once(sock: socket.socket, data: bytes, limit: float = LIMIT) -> None:
    """Send all of `data` now, not when more has come together. TimeoutError after `limit`."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    left, end = memoryview(data), time.monotonic() + limit
    while left:
        if not select.select([], [sock], [], max(0.0, end - time.monotonic()))[1]:
            raise TimeoutError(f"{len(data) - len(left):,} of {len(data):,} bytes were taken")
        left = left[sock.send(left[:65536]) :]


def send_apart(sock: socket.socket, pieces: Iterable[bytes], limit: float = LIMIT) -> None:
    """Send each piece when the one before has been read. TimeoutError after `limit`."""
    for piece in pieces:
        wait_read(sock, limit)  # what was sent earlier counts, too
        send_at_once(sock, piece, limit)


def byte_by_byte(data: bytes) -> list[bytes]:
    """The single bytes of `data`: pieces for send_apart()."""
    return [data[i : i + 1] for i in range(len(data))]


def wait_read(sock: socket.socket, limit: float = LIMIT) -> None:
    """Wait until the program at the other end has read all that was sent (Linux)."""
    _until(lambda: not unacknowledged(sock) and not unread(sock), limit, "read what was sent")


def wait_arrived(sock: socket.socket, limit: float = LIMIT) -> None:
    """Wait until the kernel at the other end has all that was sent; nobody need have read it."""
    _until(lambda: not unacknowledged(sock), limit, "take what was sent")


def _until(done: Callable[[], bool], limit: float, what: str) -> None:
    end, pause = time.monotonic() + limit, 0.0002
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"the other end did not {what} within {limit:g} seconds")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def recv_exactly(sock: socket.socket, nbytes: int) -> bytes:
    """So many bytes from a blocking socket. EOFError if the stream ends before."""
    data = b""
    while len(data) < nbytes:
        if not (chunk := sock.recv(nbytes - len(data))):
            raise EOFError(f"the stream ended after {len(data)} of {nbytes} bytes")
        data += chunk
    return data


def reset_on_close(sock: socket.socket) -> None:
    """Let close() send a reset (RST) instead of a goodbye (FIN)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))


def fill(sock: socket.socket, most: int, calm: float = 0.2) -> int:
    """Send zeros until nothing has been taken for `calm` seconds, or `most` bytes are sent.

    Returns how many bytes went out: what the buffers of both ends hold, if nobody reads.
    """
    sent, chunk = 0, bytes(65536)
    while sent < most and select.select([], [sock], [], calm)[1]:
        sent += sock.send(chunk[: most - sent])
    return sent


# What the kernel knows


def unread(sock: socket.socket) -> int:
    """How many bytes lie at the other end, unread by its program; 0 where nobody can tell."""
    if sys.platform != "linux":
        return 0
    try:
        mine, other = sock.getsockname(), sock.getpeername()
    except OSError:  # the other end is gone
        return 0
    try:
        return _unread_by_netlink(sock.family, other, mine)
    except OSError:  # a kernel without sock_diag
        return _unread_by_table(sock, other, mine)


def _unread_by_netlink(family: int, local: tuple[str, int], remote: tuple[str, int]) -> int:
    """Ask for one socket, however many there are: sock_diag(7)."""
    packed = [socket.inet_pton(family, end[0]).ljust(16, b"\0") for end in (local, remote)]
    ports = struct.pack("!HH", local[1], remote[1])
    key = ports + b"".join(packed) + bytes(4) + b"\xff" * 8  # on any interface, with any cookie
    ask = struct.pack("=BBxxI", family, socket.IPPROTO_TCP, 0xFFFFFFFF) + key
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(ask), _BY_FAMILY, 1, 0, 0) + ask)
        answer = netlink.recv(4096)
    if struct.unpack_from("=H", answer, 4)[0] == _BY_FAMILY:
        return int(struct.unpack_from("=I", answer, _RQUEUE)[0])
    number = -struct.unpack_from("=i", answer, 16)[0]
    if number == errno.ENOENT:  # the other end is gone
        return 0
    raise OSError(number, "no answer from sock_diag")


def _unread_by_table(sock: socket.socket, local: tuple[str, int], remote: tuple[str, int]) -> int:
    """Read the table of all sockets: slow where there are thousands."""
    table = Path("/proc/net/tcp6" if sock.family == socket.AF_INET6 else "/proc/net/tcp")
    ends = [_hex(sock, local), _hex(sock, remote)]
    for line in table.read_text().splitlines()[1:]:
        words = line.split()
        if words[1:3] == ends:
            return int(words[4].partition(":")[2], 16)
    return 0


def _hex(sock: socket.socket, address: tuple[str, int]) -> str:
    """An address as the kernel's table writes it: 32-bit words in the machine's byte order."""
    packed = socket.inet_pton(sock.family, address[0])
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"


def unacknowledged(sock: socket.socket) -> int:
    """How many sent bytes the other end's kernel has not got yet; 0 where nobody can tell."""
    if sys.platform == "linux":
        import fcntl
        import termios

        if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE:
            return 0  # it was reset: the kernel would count those that are lost
        packed = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
        return int(struct.unpack("i", packed)[0])
    if sys.platform == "darwin":
        return sock.getsockopt(socket.SOL_SOCKET, 0x1024)  # SO_NWRITE
    return 0


def segments(sock: socket.socket) -> int | None:
    """How many segments with data have come in: on loopback, one for each small send of the
    other end. None where nobody can tell (not on Linux)."""
    if sys.platform != "linux":
        return None
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _DATA_SEGS_IN + 4)
    return int(struct.unpack_from("I", info, _DATA_SEGS_IN)[0])
