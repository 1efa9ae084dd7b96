"""A class graded on a real Dask cluster: a scheduler and two workers, some of which are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from instructor import LAB, beginners, begun, results, socketlab, wait_graded

from socketlab.grading.cluster import OnWorker, OtherWorkerError
from socketlab.grading.submission import Submission
from socketlab.learner import find_lab

Client = pytest.importorskip("distributed", reason="distributed is not installed").Client
pytestmark = pytest.mark.skipif(os.name != "posix", reason="killed as POSIX kills")
COUNT = 16  # beginners
START = 60  # seconds, if the machine is busy


@contextmanager
def process(module, *words):
    """A part of the cluster, killed in the end."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{module}", *map(str, words)]
    quiet = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as running:
        try:
            yield running
        finally:
            running.kill()


class Cluster:
    """A scheduler and so many workers with one thread each, all on this machine."""

    def __init__(self, folder, workers):
        self.folder, self.count = folder, workers
        self._open = ExitStack()

    def __enter__(self):
        about = self.folder / "scheduler.json"
        where = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", about)
        self.scheduler = self._open.enter_context(process("scheduler", *where))
        self.address = self._told(about)["address"]
        how = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory", self.folder)
        words = ("worker", self.address, *how)
        self.workers = [self._open.enter_context(process(*words)) for _ in range(self.count)]
        with Client(self.address, timeout=START, set_as_default=False) as client:
            if self.count:
                client.wait_for_workers(self.count, timeout=START)
        return self

    def __exit__(self, *_):
        self._open.close()

    def pause(self):
        """The workers stand still, in the middle of what they do."""
        for worker in self.workers:
            worker.send_signal(signal.SIGSTOP)

    def _told(self, file):
        end = time.monotonic() + START
        while time.monotonic() < end:
            assert self.scheduler.poll() is None
            try:
                return json.loads(file.read_text())
            except (OSError, ValueError):  # not yet, or not all of it
                time.sleep(0.01)
        pytest.fail("the scheduler did not start")


@pytest.fixture
def cluster(request, tmp_path):
    (tmp_path / "dask").mkdir()
    with Cluster(tmp_path / "dask", getattr(request, "param", 2)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def graded_here(tmp_path_factory):
    """The class, and what comes of it on this machine alone."""
    place = tmp_path_factory.mktemp("class")
    folder = beginners(place / "in", COUNT)
    socketlab("grade", "2", folder, "--out", place / "out")
    return folder, results(place / "out")


def test_a_worker_that_is_killed_in_mid_batch_costs_nothing(cluster, graded_here, tmp_path):
    folder, wanted = graded_here
    words = ("grade", "2", folder, "--cluster", cluster.address, "--out", tmp_path / "out")
    with begun(*words) as grader:
        wait_graded(tmp_path / "out", 1, grader)
        cluster.workers[0].kill()
        _, said = grader.communicate(timeout=100)
    assert grader.returncode == 0, said
    assert f"{COUNT} graded. Open " in said
    assert results(tmp_path / "out") == wanted
    assert cluster.workers[1].poll() is None


def test_a_scheduler_that_is_killed_is_told_and_what_is_graded_is_kept(
    cluster, graded_here, tmp_path
):
    folder, wanted = graded_here
    words = ("grade", "2", folder, "--out", tmp_path / "out")
    with begun(*words, "--cluster", cluster.address) as grader:
        wait_graded(tmp_path / "out", 1, grader)
        cluster.pause()  # not yet all of them
        cluster.scheduler.kill()
        _, said = grader.communicate(timeout=100)
    assert grader.returncode == 2, said
    assert "is gone. What is graded is kept" in said.splitlines()[-1]
    assert "Traceback" not in said
    kept = len(results(tmp_path / "out"))
    assert 1 <= kept < COUNT
    assert f"{COUNT - kept} graded, {kept} had been" in socketlab(*words).stderr
    assert results(tmp_path / "out") == wanted


def test_ctrl_c_leaves_the_cluster_as_it_was(cluster, graded_here, tmp_path):
    folder, wanted = graded_here
    words = ("grade", "2", folder, "--cluster", cluster.address, "--out", tmp_path / "out")
    with begun(*words) as grader:
        wait_graded(tmp_path / "out", 1, grader)
        cluster.pause()
        grader.send_signal(signal.SIGINT)
        _, said = grader.communicate(timeout=100)
    assert grader.returncode == 130
    assert 1 <= len(results(tmp_path / "out")) < COUNT
    assert "the same command goes on from there" in said
    for worker in cluster.workers:
        worker.send_signal(signal.SIGCONT)
    socketlab(*words)
    assert results(tmp_path / "out") == wanted
    assert [worker.poll() for worker in cluster.workers] == [None, None]


@pytest.mark.parametrize("cluster", [0], indirect=True)
def test_a_cluster_without_workers_is_told(cluster, graded_here, tmp_path):
    words = ("--cluster", cluster.address, "--out", tmp_path / "out")
    said = socketlab("grade", "2", graded_here[0], *words, code=2).stderr.splitlines()[-1]
    assert f"dask worker {cluster.address}" in said


# A worker that would judge otherwise

WORKER = OnWorker.like_here(find_lab(LAB)[0], seed=1, deadline=100.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"grader": "socketlab 9"}, "install the same socketlab there"),
        ({"checks": "others"}, "copy the project there"),
    ],
)
def test_a_worker_that_would_judge_otherwise_gives_no_points(change, said):
    other = replace(WORKER, **change)
    assert said in other.not_ready()
    with pytest.raises(OtherWorkerError, match=said):
        other(Submission(student="ada", source=b"", name="a.py"))
    assert WORKER.not_ready() == ""
