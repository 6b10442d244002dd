"""Losses, costs and scores of cells as they end, for the trackers that a run names.

A tracker only reads what a cell has written, in the process that started the run and on a thread
of its own. So it changes no result, and one that fails or hangs ends no cell: it is left out of the
rest of the run, with one line that says so. The run's folder stays the record.
"""

from __future__ import annotations

import importlib.util
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from benchmark.errors import UserError
from benchmark.executors import Job, Watcher
from benchmark.failures import one_line, redacted
from benchmark.tracking.record import CellRecord, read_cell
from benchmark.tracking.trackers import open_tracker

MODULES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
"""What a tracker needs installed, by its name, which is also the extra's."""
CLOSE_SECONDS = 60.0
"""How long a run waits at its end for what trackers have not written yet."""


class Tracker(Protocol):
    """Where numbers of cells go. Any exception means that it does not work."""

    def log(self, record: CellRecord) -> None:
        """Takes one cell that has ended."""


Open = Callable[[str, Path], Tracker]


def check_trackers(names: Sequence[str]) -> None:
    """UserError for a tracker whose package is not installed."""
    for name in names:
        if importlib.util.find_spec(MODULES[name]) is None:
            raise UserError(
                f"tracker {name!r} is not installed; pip install 'textboost-bench[{name}]' "
                f"(in a clone '.[{name}]')"
            )


class Tracking:
    """A watcher before another that hands every cell that has ended to the trackers."""

    def __init__(
        self,
        names: Sequence[str],
        run: Path,
        watcher: Watcher,
        say: Callable[[str], None],
        open: Open = open_tracker,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        self._watcher = watcher
        self._say = say
        self._close_seconds = close_seconds
        self._lines = [_Line(name, run, say, open) for name in names]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        due = time.monotonic() + self._close_seconds
        for line in self._lines:
            line.jobs.put(None)
        for line in self._lines:
            line.thread.join(max(0.0, due - time.monotonic()))
            if line.thread.is_alive():
                self._say(f"{line.name}: still busy after {self._close_seconds:g} s; left alone")

    def started(self, job: Job) -> None:
        """Passed on to the other watcher."""
        self._watcher.started(job)

    def progressed(self, job: Job, stage: str, done: int, total: int) -> None:
        """Passed on to the other watcher."""
        self._watcher.progressed(job, stage, done, total)

    def ended(self, job: Job, exit_code: int) -> None:
        """Passed on first; then the trackers are given the cell, to log in their own time."""
        self._watcher.ended(job, exit_code)
        for line in self._lines:
            line.jobs.put(job)

    def waiting(self, jobs: int) -> None:
        """Passed on to the other watcher."""
        self._watcher.waiting(jobs)


class _Line:
    """One tracker, its queue and its thread."""

    def __init__(self, name: str, run: Path, say: Callable[[str], None], open: Open) -> None:
        self.name = name
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._run, self._say, self._open = run, say, open
        # A daemon, so that a tracker that hangs does not keep the run's process.
        self.thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        tracker: Tracker | None = None
        while (job := self.jobs.get()) is not None:
            try:
                tracker = tracker or self._open(self.name, self._run)
                tracker.log(read_cell(self._run, job))
            # SystemExit as well: a tracker's library may raise it, and nobody else would tell.
            except (Exception, SystemExit) as error:
                why = one_line(redacted(f"{type(error).__name__}: {error}"))
                self._say(f"{self.name}: {why}; the run goes on without it")
                return
