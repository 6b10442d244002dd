"""What runs inside a Ray worker: one cell, in a fresh process of its own as everywhere.

Ray's worker lives on from task to task and keeps the forkserver that has imported everything, so
only the first cell on a core pays for imports. The cell's process ends when Ray's worker does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.atomic import read_record, write_json
from benchmark.environment import code_digest
from benchmark.executors import Job
from benchmark.executors.local import Work
from benchmark.executors.local import run_jobs as run_locally
from benchmark.store import cell_folder
from benchmark.transfer import cell_files, put_cell

if TYPE_CHECKING:
    import numpy as np

    Files = Mapping[str, np.ndarray[Any, np.dtype[np.uint8]]]


class OtherCodeError(Exception):
    """A node has other code than whoever started the run: it would do other cells than planned."""


@dataclass(frozen=True)
class Order:
    """One cell for one task."""

    job: str
    """`Job.to_text()`; its folder is that of the machine that started the run."""
    device: str
    code: str
    """`code_digest()` there."""
    token: str
    """Name of a file in the run's folder, by which a task knows that it sees that folder."""
    work: Work
    preload: Sequence[str]
    files: Files | None = None
    """The cell's files so far, for a task that does not see the run's folder."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """environment.json, likewise."""


@dataclass(frozen=True)
class Answer:
    """What became of it."""

    exit_code: int | None
    """None: this task does not see the run's folder and was given no files."""
    files: Files | None = None
    """All of the cell's files, where the task worked in a folder of its own."""
    environment: Mapping[str, Any] = field(default_factory=dict)


def do_cell(order: Order, tell: Callable[[str, str, int, int], None]) -> Answer:
    """Works on the cell; `tell` is given (key, stage, done, total). OtherCodeError."""
    if order.code != code_digest():
        raise OtherCodeError
    job = Job.from_text(order.job)
    if Path(job.run, order.token).is_file():
        return Answer(_work(job, order, tell))
    if order.files is None:
        return Answer(None)
    with tempfile.TemporaryDirectory(prefix="tbbench-") as scratch:
        run = Path(scratch)
        if order.files:
            contents = {name: content.data for name, content in order.files.items()}
            put_cell(cell_folder(run, job.key), contents)
        if order.environment:
            write_json(run / "environment.json", order.environment)
        code = _work(replace(job, run=scratch), order, tell)
        files = read_files(cell_folder(run, job.key).path)
        return Answer(code, files, read_record(run / "environment.json"))


def read_files(folder: Path) -> Files:
    """All files of a cell's folder, as arrays: Ray hands those on without a copy."""
    import numpy as np

    return {name: np.fromfile(folder / name, np.uint8) for name in cell_files(folder)}


@dataclass
class _Forward:
    """A watcher of one job that hands its progress on and keeps its end."""

    tell: Callable[[str, str, int, int], None]
    exit_code: int = 0

    def started(self, job: Job) -> None:
        pass

    def progressed(self, job: Job, stage: str, done: int, total: int) -> None:
        self.tell(job.key, stage, done, total)

    def ended(self, job: Job, exit_code: int) -> None:
        self.exit_code = exit_code

    def waiting(self, jobs: int) -> None:
        pass


def _work(job: Job, order: Order, tell: Callable[[str, str, int, int], None]) -> int:
    watcher = _Forward(tell)
    run_locally([job], [order.device], watcher, work=order.work, preload=order.preload)
    return watcher.exit_code
