"""What grading costs: submissions a minute, the sandbox's share, memory, a batch from end to end.

python tests/bench_grading.py [--count N]    N submissions from end to end (1000 for a large class)
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import psutil
from instructor import beginners, results, socketlab
from made_class import LAB, mixed

from socketlab.grading.batch import Batch, local_executor
from socketlab.grading.grade import grade_one
from socketlab.grading.gradebook import Gradebook
from socketlab.grading.out import write_all
from socketlab.grading.policy import Rules
from socketlab.grading.result import Result
from socketlab.grading.running import Here, grade_all
from socketlab.grading.sandbox import Sandbox, sandboxes
from socketlab.grading.submission import Found, Person, Submission
from socketlab.learner import Lab, find_lab

WORKERS = 2
ROUNDS = 5
MEMORY = (100, 1000)  # submissions


def cpu() -> float:
    """Seconds of CPU time that the machine has used: nobody waits for all that a sandbox ends,
    so the sum of the children says little. Do nothing else meanwhile."""
    times = psutil.cpu_times()
    return times.user + times.system + getattr(times, "softirq", 0.0)


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """(seconds, seconds of CPU time) that a call takes."""
    began, used = time.perf_counter(), cpu()
    work()
    return time.perf_counter() - began, cpu() - used


@contextmanager
def class_with(lab: Lab, source: bytes, count: int):
    """(folder, gradebook, submissions): a class that has begun; all programs differ."""
    people = [Person(f"s{n:04}") for n in range(count)]
    programs = tuple(
        Submission(student=each.id, source=source + b"\n# %d" % n, name=f"{each.id}.py")
        for n, each in enumerate(people)
    )
    with tempfile.TemporaryDirectory() as folder, Gradebook(Path(folder, "book.sqlite")) as book:
        book.begin(lab.name, Found(tuple(people), programs), Rules())
        yield Path(folder), book, programs


def rate(number: str, sandbox: Sandbox, count: int) -> str:
    """How many right programs of a lab are graded a minute."""
    lab = find_lab(number)[0]
    source = (lab.root / "solutions" / lab.program.name).read_bytes()
    with class_with(lab, source, count) as (_, book, programs):
        work = partial(grade_all, programs, Here(lab, sandbox, WORKERS), book)
        took, used = cost(work)
    each = f"{used / count:5.2f} s of CPU time each"
    return f"  lab {lab.name[:2]}   {count / took * 60:6.0f} a minute   {each}"


def of_sandbox(number: str, closed: Sandbox, opened: Sandbox) -> tuple[float, float]:
    """(ratio of seconds, ratio of CPU time) of one sandbox and another, in interleaved runs."""
    lab = find_lab(number)[0]
    source = (lab.root / "solutions" / lab.program.name).read_bytes()
    ratios = []
    for _ in range(ROUNDS):
        one, other = (
            cost(partial(grade_one, source, lab, sandbox=each)) for each in (closed, opened)
        )
        ratios.append((one[0] / other[0], one[1] / other[1]))
    took, used = zip(*ratios, strict=True)
    return median(took), median(used)


def peak(count: int) -> int:
    """MiB that a process holds at most that keeps so many results and writes their pages."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (count,))


def _peak(count: int) -> int:
    def grade(submission: Submission, why: str = "") -> Result:
        return replace(found, digest=submission.digest, problem=why)

    def store(submission: Submission, result: Result) -> None:
        book.add(submission.student, result)

    found = replace(mixed("x" * 2_000), diagnosis="polls")  # the guide's word, not a program's
    with class_with(LAB, b"#" * 5_000, count) as (folder, book, programs):
        stop = threading.Event()
        make = partial(local_executor, WORKERS, stop)
        Batch(grade, make, WORKERS, store, grade).run(programs, count)
        write_all(book.grades(LAB.name), LAB, folder)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def whole(count: int) -> str:
    """A class graded by the command, from a folder to pages."""
    with tempfile.TemporaryDirectory() as place:
        folder, out = beginners(Path(place, "in"), count), Path(place, "out")
        took, _ = cost(partial(socketlab, "grade", "2", folder, "--out", out, longest=3600.0))
        assert len(results(out)) == count
        size = (out / "gradebook.sqlite").stat().st_size / count
    return (
        f"{count} starters of lab 02, from a folder to pages: {took:.1f} s, {size:.0f} bytes each"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    count = parser.parse_args().count
    there = {sandbox.tier: sandbox for sandbox in sandboxes()}
    best = min(there)
    print(f"right programs, sandbox {there[best].title}, {WORKERS} workers")
    for number in ("01", "02", "04"):
        print(rate(number, there[best], 12), flush=True)
    if best != "C":
        print(f"sandbox {best} against none: median of {ROUNDS} ratios")
        for number in ("01", "04"):
            took, used = of_sandbox(number, there[best], there["C"])
            print(f"  lab {number}   {took:5.2f} x time   {used:5.2f} x CPU time", flush=True)
    few, many = map(peak, MEMORY)
    print(f"memory at most: {few} MiB with {MEMORY[0]} submissions, {many} with {MEMORY[1]}")
    print(whole(count), flush=True)


if __name__ == "__main__":
    main()
