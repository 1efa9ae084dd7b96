"""The benchmark's servers: each one echoes, and a table can be made of what is measured."""

import socket
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="the benchmark is for Linux")
import bench_servers

NAMES = [name for name in bench_servers.commands(Path("nowhere")) if name != "epoll in C"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark is for Linux")


@linux
@pytest.mark.parametrize("name", NAMES)
def test_each_server_echoes(name: str) -> None:
    command = bench_servers.commands(Path("nowhere"))[name]
    with (
        bench_servers._run(name, command) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock,
    ):
        sock.sendall(b"hello")
        assert sock.recv(1024) == b"hello"


def test_ratios_are_medians_of_rounds() -> None:
    servers = [
        bench_servers.Server(name, None, 0)  # type: ignore[arg-type]
        for name in (bench_servers.OURS, bench_servers.BASE, "epoll in C")
    ]
    for factor, server in zip((2, 1, 4), servers, strict=True):
        for cell in [(n, size) for n in bench_servers.CONNECTIONS for size in bench_servers.SIZES]:
            for luck in (1, 5, 2):
                server.note(cell, [100 * factor * luck, 10, 20 / factor, 1])
        server.note("idle", [200])
        server.note("rush", [0.1 / factor])
    found = bench_servers.summary(servers)
    ours = found[bench_servers.OURS]
    assert ours["echo"][0] == {
        "connections": 1, "bytes": 64, "a second": 400, "throughput ratio": 2, "p50 us": 10,
        "p99 us": 10, "p99 ratio": 0.5, "own us": 1,
    }  # fmt: skip
    assert (ours["idle bytes"], ours["rush ms"], ours["rush ratio to C"]) == (200, 50, 2)
    assert "| multiconn-server.py | 2.00 (0.50) |" in bench_servers.table(found)
    assert len(bench_servers.draw(found).axes) == len(bench_servers.PANELS)
