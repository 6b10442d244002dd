"""What a case of the suite is: a piece of work to time again and again, and what can be counted."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Work(Protocol):
    """A case that is set up and warm."""

    def unit(self) -> None:
        """The work that is timed: always as much, 0.03 to 1 s of the processor."""

    def counts(self) -> dict[str, int]:
        """Figures in which chance has no part, by names of `COUNTERS`. Asked for without units."""

    def close(self) -> None:
        """Lets go of everything that the work holds."""


@dataclass(frozen=True)
class Case:
    """One row of the gate."""

    name: str
    """Such as "train/textboost/toy"."""
    open: Callable[[Path], Work]
    """Sets the work up; the folder is the case's own, empty."""

    @property
    def group(self) -> str:
        """What pytest-benchmark groups it under: train, generate, score, report or plan."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Counter:
    """A figure beside the times."""

    unit: str
    tolerance: float
    """By which share it may rise without being a regression."""
    fixed: bool = False
    """Whether falling is as wrong as rising: the case is not the same work any more."""


COUNTERS = {
    "peak_live_bytes": Counter("B", 0.02),
    "peak_python_bytes": Counter("B", 0.02),
    "flops": Counter("FLOP", 0.0),
    "trainable_parameters": Counter("parameters", 0.0),
    "checkpoint_bytes": Counter("B", 0.0),
    "cells": Counter("cells", 0.0, fixed=True),
}
"""Peaks have a tolerance: another order of two lines may move them without being of any harm."""


@dataclass(frozen=True)
class Repeated:
    """Work that is the same call again and again."""

    call: Callable[[], object]
    count: Callable[[], dict[str, int]]

    def unit(self) -> None:
        """Makes the call once."""
        self.call()

    def counts(self) -> dict[str, int]:
        """Name of a counter -> its value, of what is counted and not timed."""
        return self.count()

    def close(self) -> None:
        """Holds nothing but its calls."""


def traced_peak(call: Callable[[], object]) -> int:
    """Peak of what Python and numpy allocate during the call, in bytes, after a call before it."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
