"""Quality against what it cost: who is worth a look when a cost matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports.figures.style import legend_below, looks, shade
from reports.format import of_unit, plain


def front(points: pd.DataFrame, better: str) -> pd.DataFrame:
    """The points that no other one beats in `mean` at the same `spent` or less, by `spent`.

    `better`: which means are better, `higher` or `lower`.
    """
    sign = 1.0 if better == "higher" else -1.0
    ordered = points.assign(quality=sign * points["mean"])
    ordered = ordered.sort_values(["spent", "quality"], ascending=[True, False], kind="stable")
    so_far = ordered["quality"].cummax().shift(fill_value=-np.inf)
    return ordered[ordered["quality"] > so_far].drop(columns="quality")


def pareto(
    points: pd.DataFrame,
    score: str,
    better: str = "higher",
    dark: bool = False,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """One panel per cost, on a logarithmic axis; the line joins the Pareto front.

    `points` are those of `reports.frames.pareto_points`; `score` is what the axis of quality is
    called. Bars are 95% intervals. Raises ValueError for no points.
    """
    if points.empty:
        raise ValueError("no method has both this score and a cost")
    ink, style = shade(dark)
    marks = looks(points, colours)
    panels = list(points.groupby("cost", sort=False))
    drawn: dict[str, Any] = {}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(3.4 * len(panels) + 0.6, 3.9), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True).flat
        for axis, (title, part) in zip(axes, panels, strict=True):
            best = front(part, better)
            axis.plot(best["spent"], best["mean"], color=ink, lw=1, ls=":", drawstyle="steps-post")
            for row in part.to_dict("records"):
                look = marks[row["label"]]
                known = not np.isnan(row["low"])
                reach = [[row["mean"] - row["low"]], [row["high"] - row["mean"]]]
                drawn[str(row["label"])] = axis.errorbar(
                    row["spent"],
                    row["mean"],
                    yerr=reach if known else None,
                    fmt=look.marker,
                    color=look.colour,
                    markersize=8,
                    elinewidth=1.1,
                )
            axis.set_xscale("log")
            _ticks(axis, str(part["unit"].iloc[0]))
            axis.set_xlabel(f"{title}  ← better")
            axis.margins(0.15)
        arrow = "better →" if better == "higher" else "← better"
        figure.axes[0].set_ylabel(f"{plain(score)}  {arrow}")
        legend_below(figure, drawn)
    return figure


def _ticks(axis: Any, unit: str) -> None:
    """Ticks in the unit's own words, also where the axis spans less than a power of ten."""
    low, high = axis.get_xlim()
    wide = np.log10(high / low) > 2
    axis.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5), numticks=6))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: of_unit(value, unit)))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(axis="x", labelrotation=30)
