"""Which cell is started when: prior images are made by one cell, not waited for by many.

Nothing here changes a result. Prior images are the same whoever makes them, and what a method
spends on them is counted the same whether it made them or waited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.atomic import digest
from benchmark.executors import Job, Watcher
from benchmark.plan import Cell

BEFORE_TRAINING = ("load", "prepare")
"""Stages of a cell until its prior images are there."""


def prior_set(cell: Mapping[str, Any]) -> str | None:
    """Names the prior images of a cell (`Cell.to_json`); None when its method wants none.

    Cells of one name draw the same class by the same backbone in the same way. Two methods may word
    the class prompt differently, which only the methods know: then the name stands for both sets.
    """
    settings = cell["settings"]
    if not settings.get("prior_images") or settings.get("prior_preservation") is False:
        return None
    fields = ("backbone", "backbone_revision", "class_noun", "prior", "resolution")
    identity = {name: cell[name] for name in fields}
    return digest([identity, cell["compute"]["precision"]], 16)


def leaders_first(cells: Sequence[Cell]) -> list[Cell]:
    """The first cell of each set of prior images, then all others; both in the order given."""
    leaders: dict[str, Cell] = {}
    for cell in cells:
        # Not `to_json`, which copies every prompt and checksum of every cell.
        if name := prior_set(vars(cell)):
            leaders.setdefault(name, cell)
    first = {id(cell) for cell in leaders.values()}
    return [*leaders.values(), *(cell for cell in cells if id(cell) not in first)]


class PriorOrder:
    """A watcher before another that knows which prior images are being made at this moment.

    The first cell of every method on a set of prior images makes what the method lacks of them;
    until it trains, `put_off` holds the other cells of that set.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._sets: dict[str, str | None] = {}
        self._making: dict[str, str] = {}
        self._prepared: set[tuple[str, str]] = set()

    def put_off(self, job: Job) -> bool:
        """Whether the job would only wait for prior images that another one makes."""
        name = self._set(job)
        return name is not None and name in self._making

    def started(self, job: Job) -> None:
        """Notes the cell as the maker of its prior images, unless its method has them all."""
        name = self._set(job)
        if name is not None and (name, job.cell["method"]) not in self._prepared:
            self._making[name] = job.key
        self._watcher.started(job)

    def progressed(self, job: Job, stage: str, done: int, total: int) -> None:
        """Once a cell trains, its prior images are there: the others may start."""
        if stage not in BEFORE_TRAINING:
            self._made(job, prepared=True)
        self._watcher.progressed(job, stage, done, total)

    def ended(self, job: Job, exit_code: int) -> None:
        """The cell makes no prior images any more, whatever became of it."""
        # A cell that failed on the way has made nothing: the next one of its method is to.
        self._made(job, prepared=False)
        self._watcher.ended(job, exit_code)

    def waiting(self, jobs: int) -> None:
        """Passed on to the other watcher."""
        self._watcher.waiting(jobs)

    def _set(self, job: Job) -> str | None:
        if job.key not in self._sets:
            self._sets[job.key] = prior_set(job.cell)
        return self._sets[job.key]

    def _made(self, job: Job, prepared: bool) -> None:
        name = self._set(job)
        if name is not None and self._making.get(name) == job.key:
            del self._making[name]
            if prepared:
                self._prepared.add((name, job.cell["method"]))
