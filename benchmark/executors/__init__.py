"""Where cells are worked on. Every executor takes the same jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

TIMED_OUT = 1000
"""The exit code of a worker that was ended because its cell took too long: no system has it."""
LOST = 1001
"""The exit code of a worker that a cluster lost, with its machine or without, again and again."""


@dataclass(frozen=True)
class Job:
    """One cell to work on, as a worker is told about it."""

    key: str
    label: str
    run: str
    """The run's folder."""
    cell: Mapping[str, Any]
    """`Cell.to_json()`."""
    threads: int
    generation_batch: int
    scoring_batch: int
    timeout: float | None = None
    """Seconds that the cell may take, its process's start included. None: as long as it needs."""
    deterministic: bool = False
    """Whether torch must refuse operations that may differ from one time to the next."""
    attempts: int | None = None
    """How often the cell had been tried when this job was made. A run beside this one that has
    tried it since, and failed by the cell's own fault, need not be followed."""
    at_a_time: int = 1
    """How many cells are worked on at a time beside and with this one."""
    fresh: bool = False
    """Whether embeddings that were kept may not be used: all is to be computed anew."""

    def to_text(self) -> str:
        """The job as JSON, for a worker in another process."""
        return json.dumps(vars(self))

    @staticmethod
    def from_text(text: str) -> Job:
        """The job that `to_text` wrote."""
        return Job(**json.loads(text))


class Watcher(Protocol):
    """Is told what happens, in the process that called the executor."""

    def started(self, job: Job) -> None:
        """A worker is about to begin with the job."""

    def progressed(self, job: Job, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of the stage; a total of 0 has no steps to count."""

    def ended(self, job: Job, exit_code: int) -> None:
        """The worker is gone: 0 when it came to its end, -N when signal N killed it, `TIMED_OUT`
        when it was ended because the job's time was up."""

    def waiting(self, jobs: int) -> None:
        """Only cells are left on which another run works."""


def next_job(
    pending: list[Job], busy: Callable[[Job], bool], keep_going: Callable[[], bool]
) -> Job | None:
    """Takes the first job out of `pending` that is not busy; None while all are.

    Once `keep_going` says no, nothing is pending any more.
    """
    if not keep_going():
        pending.clear()
        return None
    job = next((job for job in pending if not busy(job)), None)
    if job is not None:
        pending.remove(job)
    return job
