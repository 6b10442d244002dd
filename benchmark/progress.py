"""How a run shows that it goes on: bars on a terminal, one line per finished cell elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from benchmark.executors import Job
from benchmark.fates import Fates


class _Label(ProgressColumn):
    """What the bar is of. On a narrow terminal it is cut, and no figure beside it."""

    def render(self, task: Task) -> Text:
        return Text(task.description, no_wrap=True, overflow="ellipsis")


class RunProgress:
    """An executor's watcher. `fates` turns a worker's end into the cell's fate."""

    def __init__(self, console: Console, total: int, done: int, fates: Fates) -> None:
        self._console = console
        self._fates = fates
        self._total = total
        self._done = done
        self._begun: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            _Label(),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            speed_estimate_period=3600,  # cells take minutes: remember more than half a minute
            disable=not console.is_terminal,
        )
        self._all = self._bars.add_task("cells", total=total, completed=done)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def started(self, job: Job) -> None:
        """Adds the cell's bar."""
        self._fates.started(job)
        self._begun[job.key] = time.monotonic()
        self._tasks[job.key] = self._bars.add_task(f"  {job.label}", total=None)

    def progressed(self, job: Job, stage: str, done: int, total: int) -> None:
        """Moves the cell's bar; a new stage starts it afresh."""
        self._fates.progressed(job, stage)
        task = self._tasks[job.key]
        description = f"  {job.label} · {stage}"
        if self._bars.tasks and description != self._description(task):
            self._bars.reset(task, description=description, total=total or None)
        self._bars.update(task, completed=done, total=total or None)

    def ended(self, job: Job, exit_code: int) -> None:
        """Takes the bar away. Prints a line on failure or remark, without a terminal always."""
        self._bars.remove_task(self._tasks.pop(job.key))
        found = self._fates.ended(job, exit_code)
        seconds = time.monotonic() - self._begun.pop(job.key)
        self._done += 1
        self._bars.update(self._all, completed=self._done)
        told = f"done in {seconds:.1f} s" if found.failure is None else f"failed: {found.failure}"
        if found.remark:
            told += f"; {found.remark}"
        if found.failure or found.remark or not self._console.is_terminal:
            line = f"[{self._done}/{self._total}] {job.label}: {told}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def waiting(self, jobs: int) -> None:
        """Says on the bar of all cells how many another run works on."""
        self._bars.update(self._all, description=f"cells ({jobs} with another run)")

    def _description(self, task: TaskID) -> str:
        return next((t.description for t in self._bars.tasks if t.id == task), "")
