"""The course's server beside six others: throughput, delays, memory, and a rush of clients.

    python tests/bench_servers.py --rounds 1        the table, in half a minute
    python tests/bench_servers.py --keep            keeps the results and draws imgs/servers.png

Linux, with a C compiler: both the load generator and the fastest server are written in C. Each
number is the median of several rounds; in a round every server has its turn, so that whatever else
the machine does disturbs all alike. The servers share one processor and the generator has another,
if there are two.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from matplotlib.figure import Figure

from socketlab.figures.palette import GREY, HAIRLINE, HUES, INK, PAPER, SANS

TESTS = Path(__file__).resolve().parent
CONTENDERS = TESTS / "contenders"
RESULTS = CONTENDERS / "results.json"
PLOT = TESTS.parent / "imgs" / "servers.png"
OURS, BASE = "multiconn-server.py", "docs-style loop"
CONNECTIONS, SIZES = (1, 10, 100, 1000), (64, 16384)
IDLE, RUSH = 8000, 1000
SECONDS = 0.5  # of one turn


def commands(binaries: Path) -> dict[str, list[str]]:
    """How each server is started; uvloop's only where it is installed."""
    python = [sys.executable, "-I"]
    found = {
        OURS: [sys.executable, str(TESTS.parent / "scripts" / OURS), "127.0.0.1", "0"],
        BASE: [*python, str(CONTENDERS / "docs_style.py"), "0"],
        "a thread per client": [*python, str(CONTENDERS / "threads.py"), "0"],
        "asyncio protocol": [*python, str(CONTENDERS / "protocol.py"), "0"],
        "asyncio streams": [*python, str(CONTENDERS / "streams.py"), "0"],
    }
    if importlib.util.find_spec("uvloop"):
        found["uvloop protocol"] = [*python, str(CONTENDERS / "protocol.py"), "0", "uvloop"]
    return found | {"epoll in C": [str(binaries / "epoll"), "0"]}


@dataclass
class Server:
    """A server that runs, and what was measured of it, by cell: (connections, bytes) or a name."""

    name: str
    process: subprocess.Popen
    port: int
    measured: dict[object, list[list[float]]] = field(default_factory=dict)

    def note(self, cell: object, values: list[float]) -> None:
        self.measured.setdefault(cell, []).append(values)

    def memory(self) -> int:
        """Bytes of memory that are this process's alone."""
        return psutil.Process(self.process.pid).memory_full_info().uss

    def user_seconds(self) -> float:
        """CPU time that the process spent in its own code, not in the kernel."""
        return psutil.Process(self.process.pid).cpu_times().user


@contextlib.contextmanager
def running(binaries: Path) -> Iterator[list[Server]]:
    """Every server, started; all are ended at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_run(*item)) for item in commands(binaries).items()]


@contextlib.contextmanager
def _run(name: str, command: list[str]) -> Iterator[Server]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            _pin(process.pid, 0)
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r":(\d+)$", line.strip())
            if not found:
                raise SystemExit(f"{name} did not start: it said {line!r}")
            yield Server(name, process, int(found[1]))
        finally:
            process.kill()


def _pin(pid: int, place: int) -> None:
    """Keep a process on one processor: the first for servers, the last for the load."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, {cores[place]})


class Load:
    """The load generator."""

    def __init__(self, binaries: Path) -> None:
        self.command = str(binaries / "load")

    def start(self, kind: str, server: Server, *words: object) -> subprocess.Popen:
        return subprocess.Popen(
            [self.command, kind, str(server.port), *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: _pin(0, -1),
        )

    def run(self, kind: str, server: Server, *words: object) -> list[float]:
        """What it printed, as numbers."""
        with self.start(kind, server, *words) as process:
            said, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"no load could be put on {server.name}")
        return [float(word) for word in said.split()]


def measure_echo(servers: list[Server], load: Load, rounds: int, seconds: float) -> None:
    """[messages a second; p50, p99 and the program's own time for a message in microseconds]."""
    for cell in [(number, size) for size in SIZES for number in CONNECTIONS]:
        for _ in range(rounds):
            for server in servers:
                before = server.user_seconds()
                count, time, *delays, total = load.run("echo", server, *cell, seconds)
                own = (server.user_seconds() - before) / total
                server.note(cell, [count / time, *delays, own * 1e6])
        progress(f"{cell[0]} connections, {cell[1]} bytes")


def measure_rush(servers: list[Server], load: Load, rounds: int) -> None:
    """[seconds] until all of RUSH clients, who come at the same moment, are served."""
    for _ in range(rounds):
        for server in servers:
            server.note("rush", load.run("burst", server, RUSH))
    progress(f"a rush of {RUSH} clients")


def measure_memory(servers: list[Server], load: Load, idle: int) -> None:
    """[bytes] of a server's memory for each idle connection."""
    for server in servers:
        before = server.memory()
        with load.start("idle", server, idle) as clients:
            if not clients.stdout or clients.stdout.readline() != "ready\n":
                raise SystemExit(f"{server.name} did not take {idle} connections")
            server.note("idle", [(server.memory() - before) / idle])
            clients.communicate("\n")
    progress(f"{idle} idle connections")


def progress(words: str) -> None:
    print(f"  measured: {words}", file=sys.stderr, flush=True)


# --- results ------------------------------------------------------------------------------------


def median(server: Server, cell: object, place: int = 0) -> float:
    return statistics.median(values[place] for values in server.measured[cell])


def ratio(server: Server, base: Server, cell: object, place: int = 0) -> float:
    """The median over the rounds of `server`'s value divided by `base`'s in the same round."""
    pairs = zip(server.measured[cell], base.measured[cell], strict=True)
    return statistics.median(mine[place] / its[place] for mine, its in pairs)


def summary(servers: list[Server]) -> dict:
    """All that was found, as plain values: ratios are to the docs-style loop's."""
    by_name = {server.name: server for server in servers}
    base, fastest = by_name[BASE], by_name["epoll in C"]
    return {
        server.name: {
            "echo": [
                {
                    "connections": number,
                    "bytes": size,
                    "a second": round(median(server, (number, size))),
                    "throughput ratio": round(ratio(server, base, (number, size)), 3),
                    "p50 us": round(median(server, (number, size), 1), 1),
                    "p99 us": round(median(server, (number, size), 2), 1),
                    "p99 ratio": round(ratio(server, base, (number, size), 2), 3),
                    "own us": round(median(server, (number, size), 3), 2),
                }
                for size in SIZES
                for number in CONNECTIONS
            ],
            "idle bytes": round(median(server, "idle")),
            "rush ms": round(median(server, "rush") * 1000, 1),
            "rush ratio to C": round(ratio(server, fastest, "rush"), 2),
        }
        for server in servers
    }


def table(found: dict) -> str:
    """The results as Markdown: throughput and p99 as ratios to the docs-style loop's."""
    heads = [f"{number} x {size // 1024 or size} {'KiB' if size > 1023 else 'B'}"
             for size in SIZES for number in CONNECTIONS]  # fmt: skip
    lines = [
        "| throughput (p99), docs-style loop = 1 | " + " | ".join(heads) + " | idle, B | rush |",
        "|---" * (len(heads) + 3) + "|",
    ]
    for name, what in found.items():
        cells = [f"{c['throughput ratio']:.2f} ({c['p99 ratio']:.2f})" for c in what["echo"]]
        end = [f"{what['idle bytes']:,}", f"{what['rush ratio to C']:.1f} x C"]
        lines.append("| " + " | ".join([name, *cells, *end]) + " |")
    return "\n".join(lines)


# --- the plot -----------------------------------------------------------------------------------

PANELS = {  # title: (value of one server's results, its label)
    "Messages a second": (lambda what: _busy(what)["a second"], lambda x: f"{x / 1000:.0f},000"),
    "99 % wait less than": (lambda what: _busy(what)["p99 us"] / 1000, lambda x: f"{x:.1f} ms"),
    "Its own time, a message": (lambda what: _busy(what)["own us"], lambda x: f"{x:.1f} µs"),
    "Memory, an idle client": (lambda what: what["idle bytes"] / 1000, lambda x: f"{x:.2f} kB"),
    "A rush of 1,000 clients": (lambda what: what["rush ms"], lambda x: f"{x:.0f} ms"),
}


def _busy(what: dict) -> dict:
    """The cell of 100 connections and 64 bytes."""
    return next(c for c in what["echo"] if (c["connections"], c["bytes"]) == (100, 64))


def draw(found: dict) -> Figure:
    """One row for each server, one panel for each measure, from 0; the course's server in blue."""
    figure = Figure(figsize=(10.5, 3.6), facecolor=PAPER)
    text = {"family": SANS, "fontsize": 9}
    title = "One thread with selectors keeps up with the fastest in Python, and is right"
    figure.text(0.012, 0.93, title, family=SANS, fontsize=14, weight="bold", color=INK)
    words = "100 clients, 64 bytes: the same echo seven times, on one processor each time."
    figure.text(0.012, 0.865, words, family=SANS, fontsize=10.5, color=GREY)
    panels = figure.subplots(1, len(PANELS), sharey=True)
    figure.subplots_adjust(left=0.152, right=0.965, top=0.75, bottom=0.03, wspace=0.42)
    for axes, (name, (value, label)) in zip(panels, PANELS.items(), strict=True):
        axes.set_title(name, loc="left", color=INK, pad=4, **text)
        axes.set_xlim(0, max(map(value, found.values())) * 1.25)
        axes.set_xticks([])
        axes.tick_params(length=0, pad=6)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.spines["left"].set_color(HAIRLINE)
        for row, (server, what) in enumerate(found.items()):
            ours = server == OURS
            axes.barh(row, value(what), height=0.5, color=HUES[0] if ours else HAIRLINE)
            place = (value(what), row)
            axes.annotate(
                label(value(what)), place, (4, 0), textcoords="offset points", va="center",
                color=INK if ours else GREY, weight="bold" if ours else "normal", **text,
            )  # fmt: skip
    panels[0].set_yticks(range(len(found)), list(found), color=INK, **text)
    panels[0].invert_yaxis()
    return figure


# --- running it ---------------------------------------------------------------------------------


def build(folder: Path) -> None:
    """Compile the generator and the server that are in C."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or not compiler:
        raise SystemExit("this benchmark needs Linux and a C compiler (Debian: apt install gcc)")
    for name in ("load", "epoll"):
        source = CONTENDERS / f"{name}.c"
        subprocess.run([compiler, "-O2", "-o", str(folder / name), str(source)], check=True)


def allow_many_sockets() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most <= IDLE:
        raise SystemExit(f"this benchmark opens {IDLE} sockets: raise the limit with ulimit -Hn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server in each cell")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long one turn is")
    parser.add_argument("--keep", action="store_true", help=f"keep the results, draw {PLOT.name}")
    options = parser.parse_args()
    allow_many_sockets()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        load = Load(Path(folder))
        with running(Path(folder)) as servers:
            measure_memory(servers, load, IDLE)  # first: no server has grown yet
        with running(Path(folder)) as again:
            for server, fresh in zip(servers, again, strict=True):
                fresh.measured = server.measured
            measure_rush(again, load, options.rounds)
            measure_echo(again, load, options.rounds, options.seconds)
            found = summary(again)
    print(table(found))
    if options.keep:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        draw(found).savefig(PLOT, dpi=144)


if __name__ == "__main__":
    main()
