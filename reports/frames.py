"""Tidy frames that figures and tables are drawn from, made of results, costs and runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmark.measure import STAGES
from benchmark.protocols import as_published
from benchmark.stats import compare, in_common, subject_means, summarise
from reports.cost_figures import COSTS, FOUND, cost_cells, cost_head, of_several_machines
from reports.tables import COLUMN, YARDSTICKS, Column, belongs, labels

if TYPE_CHECKING:
    from benchmark.store import Run

PARETO = ("peak_memory", "train_seconds", "checkpoint")
"""Costs that quality is drawn against."""
MEMORY = {
    "peak_cuda_allocated_bytes": "CUDA, allocated",
    "peak_rss_bytes": "process, RSS",
}
"""Peaks of memory, the first one that a run has is drawn -> what is said of it."""


def subject_scores(results: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Tidy: label, method, metric, encoder, reference, subject and value, its mean over images."""
    return _means(scored(results), columns)


def _means(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """`subject_scores` of results that are `scored` already."""
    records = []
    for column in columns:
        rows = frame[belongs(frame, column)]
        for label, part in rows.groupby("label", sort=False):
            about = {
                "label": label,
                "method": part["method"].iloc[0],
                "metric": column.metric,
                "encoder": column.encoder,
                "reference": column.reference,
            }
            records += [
                about | {"subject": subject, "value": value}
                for subject, value in subject_means(part).items()
            ]
    names = ["label", "method", "metric", "encoder", "reference", "subject", "value"]
    return pd.DataFrame(records, columns=names)


def prompt_scores(results: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Some columns' scores of every prompt: label, method, prompt_id, mean, low, high, subjects.

    Which column a row is of stands in `reports.tables.COLUMN`. Means are over the subjects that
    the prompt was made with. Scores without a prompt, such as those of a set, have none.
    """
    frame = scored(results)
    wanted = pd.Series(False, index=frame.index)
    for column in columns:
        wanted |= belongs(frame, column)
    rows = frame[wanted & frame["prompt_id"].notna()]
    return summarise(rows, ["label", "method", "prompt_id", *COLUMN])


def scored(results: pd.DataFrame) -> pd.DataFrame:
    """Tidy results with the column `label`, as published, without real photos."""
    frame = as_published(results)
    frame = frame[~frame["metric"].isin(list(YARDSTICKS))]
    return frame.assign(label=labels(frame))


def pareto_points(table: pd.DataFrame, costs: pd.DataFrame, column: Column) -> pd.DataFrame:
    """Tidy: label, method, kind, cost (its title), unit, spent, mean, low, high.

    One row per method with this score and one of the costs of `PARETO`, above 0; `table` is a
    summary. Controls and real photos spend nothing that could be compared, and of runs from
    different machines only the bytes of checkpoints can be.
    """
    rows = table[belongs(table, column) & (table["kind"] == "method")]
    records = []
    comparable = ("checkpoint",) if of_several_machines(costs) else PARETO
    for figure in (COSTS[name] for name in comparable):
        title = cost_head(costs, figure).title
        spent = cost_cells(costs, figure)
        for row in rows.to_dict("records"):
            cell = spent.get(str(row["label"]))
            if cell is None or cell.missing or not isinstance(cell.value, float) or cell.value <= 0:
                continue
            kept = {name: row[name] for name in ("label", "method", "kind", "mean", "low", "high")}
            records.append(kept | {"cost": title, "unit": figure.unit, "spent": cell.value})
    names = ["label", "method", "kind", "cost", "unit", "spent", "mean", "low", "high"]
    return pd.DataFrame(records, columns=names)


def differences_from(results: pd.DataFrame, column: Column, baseline: str) -> pd.DataFrame:
    """Tidy: label, method, subject, difference, and each method's mean, low, high over subjects.

    Differences of one score from the method labelled `baseline`, over what both have.
    """
    frame = scored(results)
    rows = frame[belongs(frame, column)]
    parts = []
    for label in rows["label"].unique():
        if label == baseline:
            continue
        both = in_common(rows[rows["label"].isin([label, baseline])], "label")
        means = _means(both, [column])
        own = means[means["label"] == baseline].set_index("subject")["value"]
        others = means[means["label"] == label]
        values = others["value"].to_numpy(np.float64)
        differences = values - own.reindex(others["subject"]).to_numpy(np.float64)
        parts.append(others[["label", "method", "subject"]].assign(difference=differences))
    named = ["label", "method", "subject", "difference"]
    paired = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=named)
    whole = compare(rows, COLUMN, baseline, column="label")
    kept = whole[["label", "difference", "low", "high"]].rename(columns={"difference": "mean"})
    return paired.merge(kept, on="label", how="left")


def memory_by_stage(costs: pd.DataFrame) -> pd.DataFrame:
    """Tidy: label, method, stage, bytes, measure: the highest peak of every stage over all cells.

    One measure for all methods, the first of `MEMORY` that there is; empty without any.
    """
    names = ["label", "method", "stage", "bytes", "measure"]
    there = [name for name in MEMORY if name in set(costs["measure"])] if len(costs) else []
    if not there:
        return pd.DataFrame(columns=names)
    labelled = costs.assign(label=labels(costs))
    found = labelled["kind"].isin(FOUND) & (labelled["measure"] == there[0])
    peaks = labelled[found].groupby(["label", "method", "stage"], sort=False)["value"].max()
    frame = peaks.rename("bytes").reset_index().assign(measure=MEMORY[there[0]])
    order = frame["stage"].map(lambda stage: STAGES.index(stage) if stage in STAGES else 99)
    place = frame.assign(place=order).sort_values(["label", "place"], kind="stable")
    return place[names].reset_index(drop=True)


def losses_along_training(
    cells_info: Sequence[Mapping[str, Any]], runs: Iterable[Run]
) -> pd.DataFrame:
    """Tidy: label, method, subject, train_seed, step (from 1) and loss, as cells kept them.

    Read from the folders of `runs`, for the cells of `cells_info`.
    Those that kept none have no rows; a loss that is no finite number is left out.
    """
    names = ["label", "method", "subject", "train_seed", "step", "loss"]
    if not cells_info:
        return pd.DataFrame(columns=names)
    folders = {cell.key: run.folder(cell.key) for run in runs for cell in run.planned}
    named = labels(pd.DataFrame([dict(cell) for cell in cells_info]))
    records = []
    for label, cell in zip(named, cells_info, strict=True):
        about = {name: cell[name] for name in ("method", "subject", "train_seed")}
        folder = folders.get(str(cell["key"]))
        losses = folder.losses()["losses"] if folder else []
        for step, loss in enumerate(losses, start=1):
            if isinstance(loss, int | float) and math.isfinite(loss):
                records.append({"label": label} | about | {"step": step, "loss": float(loss)})
    return pd.DataFrame(records, columns=names)
