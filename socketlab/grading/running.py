"""A class graded into its gradebook: which submissions, where, with what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from socketlab.grading.batch import Batch, Progress, local_executor, not_yet, shard
from socketlab.grading.cluster import AT_ONCE, OnWorker, cluster_executor
from socketlab.grading.grade import GRADER, checks_digest, grade_one, no_result
from socketlab.grading.gradebook import Gradebook
from socketlab.grading.result import Result
from socketlab.grading.sandbox import Sandbox
from socketlab.grading.submission import Submission
from socketlab.learner import Lab

WHOLE = "1/1"  # the share that is the class


@dataclass(frozen=True, slots=True)
class Here:
    """Grading on this machine: so many `workers` side by side, each submission in `sandbox`."""

    lab: Lab
    sandbox: Sandbox
    workers: int
    seed: int = 1
    deadline: float = 180.0

    def batch(self, **more: object) -> Batch:
        """The batch that does this. If it is interrupted, what runs is ended."""
        stop = threading.Event()

        def grade(submission: Submission) -> Result:
            how = {"seed": self.seed, "sandbox": self.sandbox, "deadline": self.deadline}
            return grade_one(submission.source, self.lab, stop=stop, **how)  # type: ignore[arg-type]

        return Batch(grade, lambda: local_executor(self.workers, stop), self.workers, **more)


@dataclass(frozen=True, slots=True)
class OnCluster:
    """Grading on the machines of a Dask cluster, each in the sandbox that it has."""

    lab: Lab
    address: str
    required: str = ""
    seed: int = 1
    deadline: float = 180.0

    def batch(self, **more: object) -> Batch:
        """The batch that does this. If it is interrupted, nothing new is begun there."""
        how = {"required": self.required, "seed": self.seed, "deadline": self.deadline}
        worker = OnWorker.like_here(self.lab, **how)

        def make() -> AbstractContextManager:
            return cluster_executor(self.address, worker.not_ready)

        return Batch(worker, make, AT_ONCE, **more)


def grade_all(
    submissions: Iterable[Submission],
    where: Here | OnCluster,
    book: Gradebook,
    *,
    share: str = WHOLE,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Grade what the gradebook does not have of a share of the class; each result is in it as
    soon as it is there. Raises ShardError, GradebookError and ClusterError; what has been stored
    stays, and the next call goes on from there."""
    lab, checks = where.lab.name, checks_digest(where.lab)
    mine = list(shard(submissions, share))
    todo = list(not_yet(mine, lambda s: book.has(s.student, lab, s.digest, checks, GRADER)))
    batch = where.batch(
        store=lambda submission, result: book.add(submission.student, result),
        give_up=lambda submission, why: _no_result(submission, where, why),
        report=report,
    )
    return batch.run(todo, len(mine), len(mine) - len(todo))


def _no_result(submission: Submission, where: Here | OnCluster, why: str) -> Result:
    problem = f"The grader failed, not the program: {why}."
    none = Sandbox("C")  # a result has one; this program was in none to its end
    how = {"seed": where.seed, "sandbox": none, "problem": problem}
    return replace(no_result(submission.source, where.lab, **how), sandbox="none")
