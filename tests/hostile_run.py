"""Grades the bank, two submissions at a time: python tests/hostile_run.py TIER [NAME ...]

One line of JSON for each submission as soon as it is graded, and last one of what is left behind.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
from hostile_bank import ROOT, Hostile, bank

from socketlab.grading.confined import python_for_others
from socketlab.grading.grade import grade_one
from socketlab.grading.sandbox import Sandbox, sandboxes
from socketlab.grading.uids import am_root

MARK = "socketlab-hostile"  # in the name of every file that a submission of the bank makes
PLACES = ("/", "/tmp", "/var/tmp", "/dev/shm", "/run")
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


def main(tier: str, names: list[str]) -> int:
    """Let a child grade. Its orphans become children of this process, which waits for them: what
    is left at the end was left behind. Returns the child's exit code."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    with own_folder() as folder:
        before = mounts()
        child = os.fork()
        if not child:
            try:
                os._exit(grade_all(tier, names))
            except BaseException:  # what is after this is the parent's business
                traceback.print_exc()
            os._exit(1)
        code = wait_for(child)
        left = {"processes": processes_left(), "mounts": sorted(mounts() - before)}
        left |= {"files": sorted(files_left(folder))}
    print(json.dumps({"left": left}), flush=True)
    return code


def wait_for(child: int) -> int:
    """Wait for this child, and for every orphan meanwhile: as zombies they would count, too."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def grade_all(tier: str, names: list[str]) -> int:
    """Grade what runs on this tier; at the end, say who was called by a submission. Returns 0."""
    own_uid = am_root() and bool(python_for_others())
    if am_root() and not own_uid and tier != "A":
        sys.exit("Programs would run as root here, and no limit of processes holds for root.")
    sandbox = next(each for each in sandboxes() if each.tier == tier)
    chosen = [each for each in bank() if not names or each.name in names]
    with Outside() as outside:
        outside.let_in(chosen)
        grade(sandbox, [each for each in chosen if each.runs_on(tier, own_uid)])
    print(json.dumps({"calls": sorted(set(outside.calls))}), flush=True)
    return 0


@contextmanager
def own_folder() -> Iterator[Path]:
    """The folder for temporary files meanwhile; the work of another learner lies in it."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    folder.chmod(0o755)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    os.environ["SOCKETLAB_HOSTILE_SECRET"] = "the grader's"
    shutil.copy(ROOT / "solutions" / "01_echo_server.py", folder / "another.py")
    try:
        yield folder
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=False)  # copes with any depth


# Two at a time, and never two bombs


def grade(sandbox: Sandbox, chosen: list[Hostile]) -> None:
    """Grade all of them. While bombs go off, right programs are graded beside them."""
    shared: queue.SimpleQueue[Hostile] = queue.SimpleQueue()
    calm = [each for each in chosen if not each.bomb]
    for each in sorted(calm, key=lambda each: each.says["Deserves"] != "full"):
        shared.put(each)
    bombs = [each for each in chosen if each.bomb]
    lanes = (chain(bombs, taken_from(shared)), taken_from(shared))
    with ThreadPoolExecutor(len(lanes)) as pool:
        for lane in [pool.submit(run_lane, sandbox, lane) for lane in lanes]:
            lane.result()


def taken_from(shared: queue.SimpleQueue[Hostile]) -> Iterator[Hostile]:
    """Whatever nobody else has taken yet."""
    while True:
        try:
            yield shared.get_nowait()
        except queue.Empty:
            return


def run_lane(sandbox: Sandbox, lane: Iterable[Hostile]) -> None:
    """Grade one after another, in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for each in lane:
            began = time.monotonic()
            result = pool.submit(grade_one, each.source, each.lab, sandbox=sandbox).result()
            told = {"name": each.name, "seconds": time.monotonic() - began}
            print(json.dumps(told | {"result": asdict(result)}), flush=True)


# What must not be left behind


class Outside:
    """Listeners that no submission has been told of: `calls` says who called all the same."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(self._tcp.getsockname())

    def __enter__(self) -> Outside:
        for listen, name in ((self._tcp.accept, "TCP"), (lambda: self._udp.recv(1), "UDP")):
            threading.Thread(target=self._listen, args=(listen, name), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tcp.close()
        self._udp.close()

    def _listen(self, listen: Any, name: str) -> None:
        try:
            while listen():
                self.calls.append(name)
        except OSError:  # closed
            return

    def let_in(self, chosen: list[Hostile]) -> None:
        """Tell those who call out where to."""
        port = b"PORT = %d" % self._tcp.getsockname()[1]
        for number, each in enumerate(chosen):
            source = re.sub(rb"^PORT = 0\b", port, each.source, flags=re.MULTILINE)
            chosen[number] = Hostile(each.name, source, each.says)


def processes_left() -> list[str]:
    """The processes below this one, after some patience. A namespace or a port that is left has
    a process that keeps it, or a mount."""
    _, left = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=5)
    return [f"{process.pid} {described(process)}" for process in left]


def described(process: psutil.Process) -> str:
    """A process in words."""
    try:
        return f"{process.status()} {' '.join(process.cmdline())[:300]}"
    except psutil.Error as error:
        return str(error)


def mounts() -> set[str]:
    """The mounts of this machine that may be a submission's, or keep a namespace."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line for line in lines if "socketlab" in line or "nsfs" in line}


def files_left(folder: Path) -> Iterator[str]:
    """Temporary files, and what a submission wrote elsewhere."""
    yield from (str(path) for path in folder.iterdir() if path.name != "another.py")
    for place in PLACES:
        yield from map(str, Path(place).glob(f"{MARK}*"))


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    sys.exit(main(sys.argv[1], sys.argv[2:]))
