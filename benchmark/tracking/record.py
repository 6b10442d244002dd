"""What trackers are told of one cell: what the cell wrote, and nothing of the environment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.atomic import read_json
from benchmark.executors import Job
from benchmark.store import CellFolder, cell_folder

ABOUT = ("method", "preset", "backbone", "dataset", "split", "subject", "train_seed")


@dataclass(frozen=True)
class CellRecord:
    """A cell that has ended."""

    key: str
    label: str
    status: str
    """`done`, or what else became of it: then there are no numbers."""
    about: Mapping[str, str | int | float | bool]
    """What the cell is: its identity, and the method's settings as `settings.NAME`."""
    losses: tuple[float, ...]
    """One per training step, from the first."""
    numbers: Mapping[str, float]
    """`cost/STAGE/MEASURE` in the table's units (s, B, J, ...), and
    `score/METRIC/ENCODER/REFERENCE`, the mean over the cell's pictures."""


def read_cell(run: Path, job: Job) -> CellRecord:
    """The record of the job's cell in the folder `run`."""
    folder = cell_folder(run, job.key)
    status = folder.state()["status"]
    done = status == "done"
    return CellRecord(
        key=job.key,
        label=job.label,
        status=status,
        about=dict(_about(job.cell)),
        losses=tuple(folder.losses()["losses"]) if done else (),
        numbers={**_costs(folder), **_scores(folder)} if done else {},
    )


def _about(cell: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float | bool]]:
    for name in ABOUT:
        yield name, cell[name]
    for name, value in sorted(cell["settings"].items()):
        plain = isinstance(value, str | int | float | bool)
        yield f"settings.{name}", value if plain else str(value)


def _costs(folder: CellFolder) -> dict[str, float]:
    """Measured ones only, those that are a number."""
    rows = read_json(folder.path / "cost.json") or []
    return {
        f"cost/{row['stage']}/{row['measure']}": float(row["value"])
        for row in rows
        if row["kind"] == "measured" and row["value"] is not None and math.isfinite(row["value"])
    }


def _scores(folder: CellFolder) -> dict[str, float]:
    import pandas as pd

    scores = pd.read_parquet(folder.path / "scores.parquet")
    if scores.empty:
        return {}
    names = ["metric", "encoder", "reference"]
    given = scores.assign(name=scores[names].fillna("").agg(list, axis=1).map(_score_name))
    means = given.groupby("name")["value"].mean().to_dict()
    return {str(name): float(value) for name, value in means.items() if math.isfinite(value)}


def _score_name(parts: Sequence[str]) -> str:
    return "/".join(["score", *(part for part in parts if part)])
