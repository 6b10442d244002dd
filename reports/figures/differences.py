"""Differences from one method, subject by subject."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures.style import legend_text, looks, shade
from reports.format import plain


def paired_differences(
    differences: pd.DataFrame,
    baseline: str,
    score: str,
    dark: bool = False,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """One row of dots per method, a dot per subject; the mean with its 95% interval on top.

    `differences` is `reports.frames.differences_from`'s frame, `baseline` the method that was
    subtracted, `score` what is compared. Raises ValueError for no differences.
    """
    if differences.empty:
        raise ValueError(f"no method shares a subject with {plain(baseline)}")
    ink, style = shade(dark)
    marks = looks(differences, colours)
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.4, 0.55 * len(marks) + 1.1), layout="constrained")
        axis = figure.subplots()
        axis.axvline(0, color=ink, lw=1)
        for place, (label, look) in enumerate(marks.items()):
            part = differences[differences["label"] == label].sort_values("difference")
            values = part["difference"].to_numpy(np.float64)
            # Spread over the row's height in the order of their size: no dot hides another.
            height = place + np.linspace(-0.28, 0.28, len(values)) if len(values) > 1 else [place]
            axis.plot(values, height, look.marker, color=look.colour, ms=4, alpha=0.55, lw=0)
            mean, low, high = (float(part[name].iloc[0]) for name in ("mean", "low", "high"))
            reach = None if np.isnan(low) else [[mean - low], [high - mean]]
            axis.errorbar(
                mean,
                place,
                xerr=reach,
                fmt=look.marker,
                color=ink,
                markerfacecolor=look.colour,
                ms=8,
                capsize=3,
                elinewidth=1.6,
                zorder=4,
            )
        axis.set_yticks(range(len(marks)), [legend_text(label) for label in marks])
        axis.set_ylim(len(marks) - 0.5, -0.5)
        axis.grid(visible=False, axis="y")
        axis.set_xlabel(f"{plain(score)}, difference from {plain(baseline, 40)}")
    return figure
