"""Two hosts in network namespaces: this end of the process that is their cable."""

from __future__ import annotations

import _socket  # sockets that no recording sees
import array
import errno
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from socketlab.hosts.places import HOSTS

CABLE = Path(__file__).with_name("cable.py")  # not imported: Windows has not what it needs
GONE = "the process that holds the hosts has ended"
DEADLINE = 20.0  # seconds for an answer


class Namespaces:
    """The hosts of a process of its own, which ends when `stop()` is called or this one ends.

    OSError, with the reason in words, if this system does not allow them.
    """

    words = "Two hosts in network namespaces of this system: Ethernet frames between them"

    def __init__(self, delay: float) -> None:
        if sys.platform != "linux":
            raise OSError("only Linux has network namespaces")
        self._asking = threading.Lock()
        self._control, theirs = _socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(DEADLINE)
        try:
            self._process = _start(theirs, delay)
        except BaseException:
            self._control.close()
            raise
        finally:
            theirs.close()
        try:
            if refused := self._receive()[0]:
                raise OSError(f"this system does not allow network namespaces ({refused[0]})")
        except BaseException:
            self.stop()
            raise

    def socket(self, host: str, kind: int) -> socket.socket:
        """A new socket in the network of `host`."""
        _, descriptor = self._ask("socket", host, int(kind))
        return socket.socket(fileno=descriptor)

    def drain(self) -> bytes:
        """Wait until no more frames are on the way; all that were, as the bytes of a pcap file."""
        _, descriptor = self._ask("end")
        with open(descriptor, "rb") as file:
            file.seek(0)
            return file.read()

    def stop(self) -> None:
        """End the process, and with it the hosts, their cards and the cable."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, *request: Any) -> tuple[list, int]:
        try:
            with self._asking:
                self._control.send(json.dumps(request).encode())
                reply, descriptors = self._receive()
        except OSError as error:
            raise OSError(error.errno, f"{GONE}: call two_hosts() for new ones") from error
        return reply, descriptors[0]

    def _receive(self) -> tuple[list, array.array]:
        descriptors = array.array("i")
        room = _socket.CMSG_SPACE(descriptors.itemsize)
        data, ancillary, *_ = self._control.recvmsg(10_000, room, _socket.MSG_CMSG_CLOEXEC)
        for _, _, content in ancillary:
            descriptors.frombytes(content)
        if not data:
            raise OSError(errno.EPIPE, GONE)
        return json.loads(data), descriptors


def _start(control: Any, delay: float) -> subprocess.Popen:
    """The cable's process. An interrupt of the notebook is none of its business."""
    words = map(json.dumps, (control.fileno(), HOSTS, delay))
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(CABLE), *words],
        stdin=subprocess.DEVNULL,
        pass_fds=[control.fileno()],
        start_new_session=True,
        env={"PATH": os.environ.get("PATH", os.defpath)},
    )
