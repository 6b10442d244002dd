"""Where cells are worked on. Every executor takes the same jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


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

    def to_text(self) -> str:
        return json.dumps(vars(self))

    @staticmethod
    def from_text(text: str) -> Job:
        return Job(**json.loads(text))


class Watcher(Protocol):
    """Is told what happens, in the process that called the executor."""

    def started(self, job: Job) -> None: ...

    def progressed(self, job: Job, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of the stage; a total of 0 has no steps to count."""

    def ended(self, job: Job, exit_code: int) -> None:
        """The worker is gone: 0 when it came to its end, -N when signal N killed it."""

    def waiting(self, jobs: int) -> None:
        """Only cells are left on which another run works."""
