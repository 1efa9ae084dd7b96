"""Run the programs in scripts/ as processes, and talk to them."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
ECHO = "echo-server.py"
DEADLINE = 60  # seconds; only a program that hangs reaches it
RESET = struct.pack("ii" if os.name == "posix" else "hh", 1, 0)  # SO_LINGER: close() sends RST
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")

Address = tuple[str, int]


def command(script: str, *arguments: object) -> list[str]:
    """How to run one of the scripts; a warning of the interpreter goes to its standard error."""
    return [sys.executable, "-W", "error", str(SCRIPTS / script), *map(str, arguments)]


def loaded(script: str) -> ModuleType:
    """The script as a module, to call what is in it; it is made anew each time."""
    spec = spec_from_file_location(script.removesuffix(".py").replace("-", "_"), SCRIPTS / script)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        patch.setitem(sys.modules, spec.name, module)  # where a dataclass looks itself up
        spec.loader.exec_module(module)
    return module


def run(*words: str, data: bytes = b"", **options: object) -> subprocess.CompletedProcess[bytes]:
    """A program's whole life: its exit code and all that it printed."""
    return subprocess.run(words, input=data, capture_output=True, timeout=DEADLINE, **options)  # type: ignore[call-overload]


def error_line(done: subprocess.CompletedProcess[bytes], code: int = 1) -> str:
    """The one line on standard error with which a program ended."""
    assert done.returncode == code, done
    (line,) = done.stderr.decode().splitlines()
    return line


class Server:
    """One running server, its address read from the line that it prints."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, script: str = ECHO, **options: object
    ) -> None:
        self.process = subprocess.Popen(  # type: ignore[call-overload]
            command(script, host, port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
        assert self.process.stdout
        self.line = self.process.stdout.readline().decode()  # empty if the program has ended
        if not self.line:
            pytest.fail(f"the server ended: {self.stop()}")
        where, _, digits = self.line.strip().removeprefix("listening on ").rpartition(":")
        self.address = (where.strip("[]"), int(digits))

    def connect(self) -> socket.socket:
        """A client's socket, connected, with a deadline on each of its calls."""
        return socket.create_connection(self.address, timeout=DEADLINE)

    def stop(self, how: int | None = None) -> tuple[int, bytes, bytes]:
        """End the server with a signal (or by force), then its exit code, stdout and stderr."""
        self.process.kill() if how is None else self.process.send_signal(how)
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Where servers are registered so that none outlives its test."""
    with ExitStack() as stack:
        yield stack


def started(
    servers: ExitStack,
    host: str = "127.0.0.1",
    port: int = 0,
    script: str = ECHO,
    **options: object,
) -> Server:
    """A server that ends with the test; options are those of Popen."""
    server = Server(host, port, script, **options)
    servers.callback(lambda: server.process.returncode is None and server.stop())
    return server


def has_ipv6() -> bool:
    """Whether ::1 can be bound here."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def echoed(server: Server, data: bytes = b"still there?") -> bytes:
    """What a plain client gets for data; it half-closes and reads to the end of stream."""
    with server.connect() as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(4096), b""))


def tool(name: str, help_words: tuple[str, ...] = (), needs: str = "") -> str:
    """The path of a program that this computer may not have."""
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed")
    if needs:
        done = run(path, *help_words)
        if needs not in (done.stdout + done.stderr).decode(errors="replace"):
            pytest.skip(f"this {name} has no {needs.strip()}")
    return path
