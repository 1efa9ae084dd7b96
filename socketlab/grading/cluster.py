"""A Dask cluster as the place where a class is graded: an executor, and what its workers need."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from socketlab.grading.grade import GRADER, checks_digest, grade_one
from socketlab.grading.result import Result
from socketlab.grading.sandbox import Sandbox, SandboxError, find_sandbox
from socketlab.grading.submission import Submission
from socketlab.learner import Lab

if TYPE_CHECKING:
    from distributed import Client

AT_ONCE = 256  # submissions that are sent out; more than a cluster for a class has threads
CONNECT = 20  # seconds


class ClusterError(RuntimeError):
    """The cluster cannot be used; the message says what to do. What has been stored stays."""


class OtherWorkerError(RuntimeError):
    """A worker would judge otherwise than the machine that keeps the gradebook."""


@dataclass(frozen=True, slots=True)
class OnWorker:
    """Grades submissions on any machine of a cluster, each in the sandbox of that machine.

    `checks` and `grader` are those of the gradebook's machine: a worker that has others says so
    rather than giving points. `required` is the least sandbox.
    """

    lab: Lab
    checks: str
    grader: str
    seed: int
    deadline: float
    required: str = ""

    @classmethod
    def like_here(cls, lab: Lab, **how: Any) -> OnWorker:
        """What grades as this machine does."""
        return cls(lab, checks_digest(lab), GRADER, **how)

    def __call__(self, submission: Submission) -> Result:
        """The result. Raises OtherWorkerError and SandboxError."""
        if wrong := self.not_ready():
            raise OtherWorkerError(wrong)
        how = {"seed": self.seed, "deadline": self.deadline}
        return grade_one(submission.source, self.lab, sandbox=_sandbox(self.required), **how)

    def not_ready(self) -> str:
        """Why the machine that this runs on must not grade; "" if it may."""
        if self.grader != GRADER:
            return f"it has {GRADER} and not {self.grader}: install the same socketlab there"
        if self.checks != checks_digest(self.lab):
            return f"the checks in {self.lab.root} are others, or missing: copy the project there"
        try:
            _sandbox(self.required)
        except SandboxError as error:
            return str(error)
        return ""


@cache
def _sandbox(required: str) -> Sandbox:
    """This machine's, probed once."""
    return find_sandbox(required)


@contextmanager
def cluster_executor(address: str, not_ready: Callable[[], str] = str) -> Iterator[Executor]:
    """The workers of a Dask cluster, by its scheduler's address, such as tcp://10.0.0.1:8786.

    `not_ready` is called on each worker, and says what is wrong with it. Raises ClusterError, also
    in the block if the scheduler is lost. A worker that is lost costs nothing: others grade what
    it had. What still runs when the block is left is given up.
    """
    with _quiet(), _client(address) as client:
        _look_at_workers(client, address, not_ready)
        executor = client.get_executor(pure=False, retries=2)
        try:
            yield executor
        except CancelledError:
            raise ClusterError(
                f"The cluster at {address} is gone. What is graded is kept: when the cluster is "
                "there again, the same command goes on from there."
            ) from None
        finally:
            if client.status == "running":
                executor.shutdown(wait=False)


@contextmanager
def _client(address: str) -> Iterator[Client]:
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ImportError:
        advice = "pip install 'distributed>=2024.8', here and on its machines"
        raise ClusterError(f"A cluster needs dask.distributed: {advice}.") from None
    try:
        get_address_host_port(address, strict=True)  # Client takes a minute to refuse one
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise ClusterError(
            f"No cluster answers at {address!r}: {error}. Write it as `dask scheduler` shows it, "
            "such as tcp://10.0.0.1:8786."
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=CONNECT if client.status == "running" else 0.5)


def _look_at_workers(client: Client, address: str, not_ready: Callable[[], str]) -> None:
    found: Mapping[str, object] = client.run(not_ready, on_error="return")
    if not found:
        raise ClusterError(
            f"The cluster at {address} has no workers. Start one on each machine, from the "
            f"folder of this project: dask worker {address}"
        )
    for worker, wrong in sorted(found.items()):
        if isinstance(wrong, Exception):
            raise ClusterError(f"Worker {worker} cannot grade: {type(wrong).__name__}: {wrong}.")
        if wrong:
            raise ClusterError(f"Worker {worker} cannot grade: {wrong}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """The library logs a traceback whenever a connection ends; what matters is raised."""
    before = logging.root.manager.disable  # its loggers have levels of their own
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
