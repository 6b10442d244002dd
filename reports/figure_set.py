"""Every figure that there is something for, by the name of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from reports import figures, frames
from reports.leads import leads
from reports.naming import PLAIN, Naming
from reports.score_tables import score_head
from reports.tables import Column, belongs, headline


def figure_set(
    results: pd.DataFrame,
    table: pd.DataFrame,
    costs: pd.DataFrame,
    naming: Naming = PLAIN,
    losses: pd.DataFrame | None = None,
    dark: bool = False,
) -> dict[str, Figure]:
    """Name -> figure: fidelity_alignment, per headline score N pareto_N, differences_N and
    heatmap_N, then memory and loss.

    `table` is the summary of `results`, its labels not yet renamed; `losses` is the frame of
    `reports.frames.losses_along_training`. A figure without data is left out.
    """
    made: dict[str, Figure] = {}
    colours = naming.colours
    panels = figures.panels(table) if len(table) else []
    judged = headline(table) if len(table) else []
    wanted = [*(column for panel in panels for column in panel), *judged]
    if wanted:
        scores = frames.subject_scores(results, list(dict.fromkeys(wanted)))
        scores = _in_order(scores, table, naming)
    if panels:
        made["fidelity_alignment"] = figures.fidelity_alignment(
            naming.applied(table), dark, scores, colours
        )
    baselines = _baselines(results, table, judged)
    for number, column in enumerate(judged, start=1):
        own = scores[belongs(scores, column)]
        drawn = {
            "pareto": _pareto(table, costs, column, naming, dark),
            "differences": _differences(results, table, column, baselines, naming, dark),
            "heatmap": None if own.empty else figures.heatmap(own, score_head(column).title, dark),
        }
        made |= {f"{name}_{number}": figure for name, figure in drawn.items() if figure}
    memory = frames.memory_by_stage(costs)
    if len(memory):
        made["memory"] = figures.memory_by_stage(_in_order(memory, table, naming), dark, colours)
    if losses is not None and len(losses):
        made["loss"] = figures.losses(_in_order(losses, table, naming), dark, colours)
    return made


def _pareto(
    table: pd.DataFrame, costs: pd.DataFrame, column: Column, naming: Naming, dark: bool
) -> Figure | None:
    """A score against the costs; None where either is missing."""
    points = _in_order(frames.pareto_points(table, costs, column), table, naming)
    if points.empty or column.better is None:
        return None
    title = score_head(column).title.removesuffix(f" {column.arrow}")
    return figures.pareto(points, title, column.better, dark, naming.colours)


def _differences(
    results: pd.DataFrame,
    table: pd.DataFrame,
    column: Column,
    baselines: Mapping[Column, str],
    naming: Naming,
    dark: bool,
) -> Figure | None:
    """Every subject's differences from the baseline; None where there is none."""
    if column not in baselines:
        return None
    frame = frames.differences_from(results, column, baselines[column])
    if frame.empty:
        return None
    called, title = naming.name(baselines[column]), score_head(column).title
    ordered = _in_order(frame, table, naming)
    return figures.paired_differences(ordered, called, title, dark, naming.colours)


def _in_order(frame: pd.DataFrame, table: pd.DataFrame, naming: Naming) -> pd.DataFrame:
    """A frame with its labels renamed, its rows in the summary's order or the naming's."""
    order = (
        {label: place for place, label in enumerate(table["label"].unique())} if len(table) else {}
    )
    place = frame["label"].map(lambda label: order.get(label, len(order)))
    ranked = frame.assign(place=place).sort_values("place", kind="stable").drop(columns="place")
    return naming.applied(ranked)


def _baselines(
    results: pd.DataFrame, table: pd.DataFrame, judged: Sequence[Column]
) -> dict[Column, str]:
    """The untouched backbone, or else the best method of each score, where there is one."""
    if not judged:
        return {}
    base = table.loc[table["method"] == "base", "label"].unique()
    if len(base) == 1:
        return dict.fromkeys(judged, str(base[0]))
    found = leads(results, table)
    return {column: found[column].first.label for column in judged if column in found}
