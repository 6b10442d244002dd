"""Every figure that there is something for, by the name of its files."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from reports import figures, frames
from reports.leads import leads
from reports.naming import PLAIN, Naming
from reports.score_tables import score_head
from reports.tables import Column, headline


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
    if len(table) and figures.panels(table):
        pair = [column for panel in figures.panels(table) for column in panel]
        scores = frames.subject_scores(results, list(dict.fromkeys(pair)))
        made["fidelity_alignment"] = figures.fidelity_alignment(
            naming.applied(table), dark, _in_order(scores, table, naming), colours
        )
    for number, column in enumerate(headline(table) if len(table) else [], start=1):
        for name, draw in _of_one_score(results, table, costs, column, naming, dark).items():
            figure = draw()
            if figure is not None:
                made[f"{name}_{number}"] = figure
    memory = frames.memory_by_stage(costs)
    if len(memory):
        made["memory"] = figures.memory_by_stage(_in_order(memory, table, naming), dark, colours)
    if losses is not None and len(losses):
        made["loss"] = figures.losses(_in_order(losses, table, naming), dark, colours)
    return made


def _of_one_score(
    results: pd.DataFrame,
    table: pd.DataFrame,
    costs: pd.DataFrame,
    column: Column,
    naming: Naming,
    dark: bool,
) -> dict[str, Callable[[], Figure | None]]:
    title = score_head(column).title
    plain_title = title.removesuffix(f" {column.arrow}")

    def pareto() -> Figure | None:
        points = _in_order(frames.pareto_points(table, costs, column), table, naming)
        if points.empty or column.better is None:
            return None
        return figures.pareto(points, plain_title, column.better, dark, naming.colours)

    def differences() -> Figure | None:
        baseline = _baseline(results, table, column)
        if baseline is None:
            return None
        frame = frames.differences_from(results, column, baseline)
        if frame.empty:
            return None
        frame = _in_order(frame, table, naming)
        called = naming.name(baseline)
        return figures.paired_differences(frame, called, title, dark, naming.colours)

    def heatmap() -> Figure | None:
        scores = frames.subject_scores(results, [column])
        if scores.empty:
            return None
        return figures.heatmap(_in_order(scores, table, naming), title, dark)

    return {"pareto": pareto, "differences": differences, "heatmap": heatmap}


def _in_order(frame: pd.DataFrame, table: pd.DataFrame, naming: Naming) -> pd.DataFrame:
    """A frame with its labels renamed, its rows in the summary's order or the naming's."""
    order = (
        {label: place for place, label in enumerate(table["label"].unique())} if len(table) else {}
    )
    place = frame["label"].map(lambda label: order.get(label, len(order)))
    ranked = frame.assign(place=place).sort_values("place", kind="stable").drop(columns="place")
    return naming.applied(ranked)


def _baseline(results: pd.DataFrame, table: pd.DataFrame, column: Column) -> str | None:
    """The untouched backbone, or else the best method; None without either."""
    base = table.loc[table["method"] == "base", "label"].unique()
    if len(base) == 1:
        return str(base[0])
    lead = leads(results, table).get(column)
    return None if lead is None else lead.first.label
