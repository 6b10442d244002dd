"""What each method cost and how it was set, as pure functions of tidy frames and records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmark.measure import STAGES
from reports import format as show
from reports.cost_figures import FOUND, SEVERAL, of_several_machines
from reports.tables import CONTROLS, IDENTITY, labels


@dataclass(frozen=True)
class CostColumn:
    """One figure of the cost table."""

    name: str
    unit: str
    measure: str
    stage: str | None
    """None: over all stages."""
    over: str
    """`mean` or `max` over the cells of a method."""
    show: Callable[[float], str]

    @property
    def title(self) -> str:
        """Name with the unit of the bare number."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


SHOWN = (
    *(CostColumn(stage, "s", "wall_seconds", stage, "mean", show.seconds) for stage in STAGES),
    CostColumn("steps", "", "steps", "train", "mean", show.count),
    CostColumn("first step", "s", "first_step_seconds", "train", "mean", show.seconds),
    CostColumn("median later step", "s", "step_seconds_median", "train", "mean", show.seconds),
    CostColumn("peak RSS", "B", "peak_rss_bytes", None, "max", show.size),
    CostColumn("peak RSS in training", "B", "peak_rss_bytes", "train", "max", show.size),
    *(
        CostColumn(f"peak CUDA {kind}{at}", "B", f"peak_cuda_{kind}_bytes", stage, "max", show.size)
        for kind in ("allocated", "reserved")
        for at, stage in (("", None), (" in training", "train"))
    ),
    CostColumn("checkpoint", "B", "checkpoint_bytes", "save", "mean", show.size),
    CostColumn("trainable parameters", "", "trainable_parameters", "train", "mean", show.count),
)


def cost_table(costs: pd.DataFrame) -> pd.DataFrame:
    """One row per method: label, cells, and the figures of `SHOWN`; missing where not measured.

    What was predicted or worked out takes no part. With a last column `machine`, as in
    `reports.study.Study.costs`, where the figures come from different ones.
    """
    if "kind" in costs:
        costs = costs[costs["kind"].isin(FOUND)]
    labelled = costs.assign(label=labels(costs))
    cells = labelled.drop_duplicates(["label", "subject", "train_seed"])
    table = pd.DataFrame({"cells": cells.groupby("label").size()})
    for column in SHOWN:
        rows = labelled[labelled["measure"] == column.measure]
        if column.stage is not None:
            rows = rows[rows["stage"] == column.stage]
        found = rows.groupby("label")["value"]
        table[column.title] = found.mean() if column.over == "mean" else found.max()
    if of_several_machines(costs):
        machines = labelled.groupby("label")["machine"]
        table["machine"] = machines.first().where(machines.nunique() == 1, SEVERAL)
    control = labelled.groupby("label")["method"].first().isin(CONTROLS)
    return table.loc[control.sort_values(kind="stable").index].reset_index()


def cost_text(table: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """The table that `cost_table` made of `costs` in words: `-` for a stage that a method does not
    have, `not measured` for a figure that is missing although its stage ran."""
    stages = costs["stage"].groupby(labels(costs)).agg(set)
    text = pd.DataFrame({"method": table["label"], "cells": table["cells"].astype("str")})
    for column in SHOWN:
        # A figure over all stages belongs to every method; the others to those with the stage.
        ran = [column.stage is None or column.stage in stages[label] for label in table["label"]]
        text[column.name] = [
            column.show(value) if pd.notna(value) else show.NOT_MEASURED if had else show.MISSING
            for value, had in zip(table[column.title], ran, strict=True)
        ]
    return text


def settings_table(cells: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Hyperparameters side by side: a row per setting, a column per method.

    `cells` are records with `IDENTITY`'s columns and `settings`. A setting that a method does not
    have is missing.
    """
    frame = pd.DataFrame([{name: cell.get(name) for name in IDENTITY} for cell in cells])
    if frame.empty:
        return pd.DataFrame(columns=["setting"])
    shown: dict[str, dict[str, str]] = {}
    for label, cell in sorted(zip(labels(frame), cells, strict=True), key=_controls_last):
        shown[label] = {"preset": str(cell["preset"])} | {
            name: _setting(value) for name, value in cell["settings"].items()
        }
    table = pd.DataFrame(shown)
    return table.rename_axis("setting").reset_index()


def _controls_last(pair: tuple[str, Mapping[str, Any]]) -> tuple[bool, str]:
    return pair[1]["method"] in CONTROLS, pair[0]


def _setting(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_setting(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
