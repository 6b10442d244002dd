"""What a method cost, figure by figure, with predictions apart from what was measured."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import pandas as pd

from reports import format as show
from reports.cells import Cell, Head
from reports.tables import labels

FOUND = ("measured", "exact")
"""Kinds of figures that a run took or counted; `analytic` and `predicted` ones were worked out."""


@dataclass(frozen=True)
class CostFigure:
    """One figure that a table can have a column for."""

    title: str
    unit: str
    measures: tuple[tuple[str, str], ...]
    """(measure, what is said of it): the first one that the run has at all is used for every
    method, so that no column mixes two."""
    stage: str | None
    over: str
    """`mean` or `max` over the cells of a method."""
    kinds: tuple[str, ...] = FOUND


_CUDA = ("peak_cuda_allocated_bytes", "CUDA, allocated")
_RSS = ("peak_rss_bytes", "process, RSS")
COSTS = {
    "train_seconds": CostFigure("training", "s", (("wall_seconds", ""),), "train", "mean"),
    "generate_seconds": CostFigure("generating", "s", (("wall_seconds", ""),), "generate", "mean"),
    "step_seconds": CostFigure("median step", "s", (("step_seconds_median", ""),), "train", "mean"),
    "steps": CostFigure("steps", "", (("steps", ""),), "train", "mean"),
    "flops_per_step": CostFigure(
        "FLOPs per step", "FLOPs", (("flops_per_step", "analytic"),), None, "mean", ("analytic",)
    ),
    "peak_memory": CostFigure("peak memory in training", "B", (_CUDA, _RSS), "train", "max"),
    "peak_memory_predicted": CostFigure(
        "peak memory", "B", (("peak_live_bytes", "predicted"),), None, "max", ("predicted",)
    ),
    "peak_rss": CostFigure("peak memory in training", "B", (_RSS,), "train", "max"),
    "peak_cuda_reserved": CostFigure(
        "peak memory in training",
        "B",
        (("peak_cuda_reserved_bytes", "CUDA, reserved"),),
        "train",
        "max",
    ),
    "checkpoint": CostFigure("checkpoint", "B", (("checkpoint_bytes", ""),), "save", "mean"),
    "parameters": CostFigure(
        "trainable parameters", "", (("trainable_parameters", ""),), "train", "mean"
    ),
}
"""Name on the command line -> figure."""


MACHINES = "Costs come from different machines: seconds and memory must not be compared."
SEVERAL = "several"
"""In the column `machine`: the cells of this row's run were done on unlike machines."""


def cost_notes(costs: pd.DataFrame) -> list[str]:
    """What must be known before costs are compared, a sentence each."""
    return [*([MACHINES] if of_several_machines(costs) else []), *stood_still(costs)]


def stood_still(costs: pd.DataFrame) -> list[str]:
    """A sentence where cells have no seconds of a stage, since their process stood still in it: a
    method's mean is over the other cells."""
    paused = costs[costs["measure"] == "pauses"]
    if paused.empty:
        return []
    each = Counter(zip(labels(costs)[paused.index], paused["stage"], strict=True))
    told = ", ".join(f"{label} ({stage}: {n})" for (label, stage), n in each.items())
    return [f"Without cells whose process stood still for a time, seconds are of the rest: {told}."]


def of_several_machines(costs: pd.DataFrame) -> bool:
    """Whether costs come from more than one machine, as `reports.study.Study.costs` marks them."""
    if "machine" not in costs:
        return False
    return costs["machine"].nunique() > 1 or bool(costs["machine"].eq(SEVERAL).any())


def cost_head(costs: pd.DataFrame, figure: CostFigure) -> Head:
    """The head of a figure's column, which names the measure where there is a choice."""
    said = _measure(costs, figure)[1]
    return Head((figure.title, f"({said})") if said else (figure.title,))


def cost_cells(costs: pd.DataFrame, figure: CostFigure) -> dict[str, Cell]:
    """Label -> the figure of every method that costs were taken of.

    Without a value: `not measured` where the figure's stage ran, a dash where the method has no
    such stage or nothing was predicted.
    """
    if costs.empty:
        return {}
    labelled = costs.assign(label=labels(costs))
    measure, _ = _measure(costs, figure)
    rows = labelled[(labelled["measure"] == measure) & labelled["kind"].isin(figure.kinds)]
    if figure.stage is not None:
        rows = rows[rows["stage"] == figure.stage]
    grouped = rows.groupby("label")
    values = grouped["value"].mean() if figure.over == "mean" else grouped["value"].max()
    kinds = grouped["kind"].agg(lambda kinds: min(kinds, key=list(figure.kinds).index))
    ran = set(labelled.loc[labelled["stage"] == figure.stage, "label"])
    made = {}
    for label in labelled["label"].unique():
        value = float(values.get(label, math.nan))
        absent = show.NOT_MEASURED if label in ran and figure.kinds == FOUND else show.MISSING
        kind = "" if math.isnan(value) else str(kinds[label])
        made[str(label)] = Cell(value, figure.unit, kind=kind, absent=absent)
    return made


def _measure(costs: pd.DataFrame, figure: CostFigure) -> tuple[str, str]:
    """The measure that is used, and what is said of it."""
    there = set(costs["measure"]) if len(costs) else set()
    return next((pair for pair in figure.measures if pair[0] in there), figure.measures[-1])
