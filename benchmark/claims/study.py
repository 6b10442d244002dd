"""The results that claims are judged by: one run, opened as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.collect import environment_of, stamp, states
from benchmark.plan import Cell
from benchmark.store import Run
from benchmark.subjects import DATASET_NAMES, open_dataset
from benchmark.together import parts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Whole:
    """All that there is of a data set, of which a run may have taken a part."""

    subjects: int
    """Of the split."""
    prompts: Mapping[bool, frozenset[str]]
    """Ids, for live subjects (True) and for objects."""


@dataclass(frozen=True)
class Study:
    """One run's plan, tables and machine. All its cells share backbone, protocol and data."""

    name: str
    cells: tuple[Cell, ...]
    results: pd.DataFrame
    """Of the cells that are done, as in results.parquet."""
    costs: pd.DataFrame
    environment: Mapping[str, Any]
    whole: Whole | None = None
    """None for data that is not of this project, and for subjects put together."""
    stamp: str | None = None
    """`benchmark.collect.stamp` of the run when its tables were read."""

    def shared(self, field: str) -> str:
        """What all cells have in one field: `backbone`, `protocol`, `dataset`, `split`, ..."""
        return "/".join(sorted({str(getattr(cell, field)) for cell in self.cells}))

    def trained(self, method: str, preset: str) -> list[Cell]:
        """The planned cells of one method and preset."""
        return [cell for cell in self.cells if (cell.method, cell.preset) == (method, preset)]

    @property
    def machine(self) -> str:
        """The processor or the GPU that the run used, in a few words."""
        used = str(self.environment.get("device") or "")
        gpus = self.environment.get("gpus") or []
        names = [str(gpu.get("name")) for gpu in gpus if isinstance(gpu, dict)]
        if used.startswith("cuda") and names:
            return f"GPU: {', '.join(dict.fromkeys(names))}"
        processor = str(self.environment.get("processor") or "not recorded")
        return f"{used or 'device not recorded'}: {processor}"

    @property
    def training(self) -> str:
        """Precision, attention, optimizer and the like of the trainings, in a few words."""
        found = {str(dict(cell.compute)): cell.compute for cell in self.cells}
        return "; ".join(", ".join(_words(compute)) for compute in found.values())


def _words(compute: Mapping[str, Any]) -> list[str]:
    """`fp16`, `gradient_checkpointing`, `accumulation 2`; nothing of what is off."""
    words = []
    for name, value in compute.items():
        if value is True or isinstance(value, str):
            words.append(name if value is True else value)
        elif value is not False and (name, value) != ("accumulation", 1):
            words.append(f"{name} {value}")
    return words


def whole_of(cells: Sequence[Cell]) -> Whole | None:
    """What the cells' data set and split hold in all; None where nothing here knows."""
    place = {(cell.dataset, cell.split) for cell in cells}
    if len(place) != 1 or any(len(parts(cell.subject)) > 1 for cell in cells):
        return None
    ((name, split),) = place
    if name not in DATASET_NAMES:
        return None
    dataset = open_dataset(name)
    if split not in dataset.split_names():
        return None
    prompts = {
        live: frozenset(prompt.id for prompt in dataset.prompts(live)) for live in (True, False)
    }
    return Whole(len(dataset.split(split)), prompts)


def study_of(run: Run, name: str | None = None) -> Study:
    """The run, from its tables as they lie on disk."""
    return Study(
        name=name or run.path.name,
        cells=run.planned,
        results=run.results(),
        costs=run.costs(),
        environment=environment_of(run, states(run)),
        whole=whole_of(run.planned),
        stamp=stamp(run),
    )
