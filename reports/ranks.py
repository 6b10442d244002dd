"""The critical-difference figure: mean ranks on a line, bars over what cannot be told apart."""

from __future__ import annotations

from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from benchmark.ranks import Ranking, rank_methods
from reports.figures import figure_style, mark
from reports.tables import CONTROLS, Column, belongs, headline, labels


def headline_ranks(
    results: pd.DataFrame, table: pd.DataFrame
) -> list[tuple[Column, Ranking, dict[str, str]]]:
    """Rankings of the methods in the headline's columns, with the method behind every label.

    `table` is the summary of `results`. Controls take no part. Columns with too few subjects or
    methods are left out.
    """
    labelled = results.assign(label=labels(results))
    taking_part = labelled[~labelled["method"].isin(CONTROLS)]
    methods = dict(zip(taking_part["label"], taking_part["method"], strict=True))
    found = []
    for column in headline(table):
        rows = taking_part[belongs(taking_part, column)]
        ranking = rank_methods(rows, column.better or "higher", "label") if len(rows) else None
        if ranking is not None:
            found.append((column, ranking, methods))
    return found


def critical_difference(
    ranked: list[tuple[Column, Ranking, dict[str, str]]], dark: bool = False
) -> Figure:
    """One line per ranking, rank 1 on the left. ValueError for none.

    A thick bar joins methods whose mean ranks lie less than the critical difference apart.
    """
    if not ranked:
        raise ValueError("no ranking to draw")
    ink, grid = ("#e8e8e6", "#4a4a4a") if dark else ("#1f1f1f", "#d9d9d9")
    heights = [0.9 + 0.2 * len(r.names) + 0.14 * len(r.groups) for _, r, _ in ranked]
    with matplotlib.rc_context(figure_style(ink, grid)):
        figure = Figure(figsize=(7.2, sum(heights) + 0.2), layout="constrained")
        axes = figure.subplots(len(ranked), 1, squeeze=False, height_ratios=heights).flat
        for axis, (column, ranking, methods) in zip(axes, ranked, strict=True):
            _line(axis, column, ranking, methods, ink)
    return figure


def _line(axis: Any, column: Column, ranking: Ranking, methods: dict[str, str], ink: str) -> None:
    count = len(ranking.names)
    # Ranks run along y = 0; names hang below it, the better half to the left; bars lie above.
    depth = (count + 1) // 2
    for place, (name, rank) in enumerate(zip(ranking.names, ranking.mean_ranks, strict=True)):
        left = place < depth
        level = -(place + 1) if left else -(count - place)
        edge = 0.75 if left else count + 0.25
        look = mark(methods[name])
        axis.plot([rank, rank, edge], [0, level, level], color=ink, lw=0.8, zorder=1)
        axis.plot(rank, 0, look.marker, color=look.colour, markersize=8, zorder=3, clip_on=False)
        side = "right" if left else "left"
        text = f"{name}  {rank:.2f}"
        shift = -0.06 if left else 0.06
        axis.text(edge + shift, level, text, ha=side, va="center")
    for height, (first, last) in enumerate(ranking.groups, start=1):
        reach = [ranking.mean_ranks[first] - 0.04, ranking.mean_ranks[last] + 0.04]
        axis.plot(
            reach, [0.45 * height + 0.4] * 2, color=ink, lw=4, solid_capstyle="butt", zorder=2
        )
    top = 0.45 * (len(ranking.groups) + 1) + 0.6
    axis.set(xlim=(-1.2, count + 2.2), ylim=(-depth - 0.6, top))
    axis.hlines(0, 1, count, color=ink, lw=1.2, zorder=1)
    for tick in range(1, count + 1):
        axis.text(tick, 0.16, str(tick), ha="center", va="bottom", fontsize=7, color=ink)
    axis.set_title(
        f"{column.title}   n = {ranking.subjects}, critical difference "
        f"{ranking.critical_difference:.2f}, Friedman p = {ranking.friedman_p:.3f}",
        fontsize=9,
        loc="left",
    )
    axis.set_axis_off()
