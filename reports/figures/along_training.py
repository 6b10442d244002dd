"""The loss along training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from reports.figures.style import legend_below, looks, shade

SMOOTHED = 20
"""The thick line is a mean over this part of all steps, one in so many."""


def losses(
    frame: pd.DataFrame, dark: bool = False, colours: Mapping[str, str] | None = None
) -> Figure:
    """One thin line per method, the mean over cells at every step; a thick one smooths it.

    `frame` is tidy: label, method, subject, train_seed, step, loss (`reports.frames`). Methods
    minimise different losses: only a line's own course says something. Raises ValueError for no
    losses.
    """
    if frame.empty:
        raise ValueError("no losses were kept")
    _, style = shade(dark)
    drawn: dict[str, Any] = {}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.4, 3.9), layout="constrained")
        axis = figure.subplots()
        for label, look in looks(frame, colours).items():
            part = frame[frame["label"] == label]
            mean = part.groupby("step")["loss"].mean()
            axis.plot(mean.index, mean, color=look.colour, lw=0.6, alpha=0.35)
            window = max(1, len(mean) // SMOOTHED)
            smooth = mean.rolling(window, center=True, min_periods=1).mean()
            every = max(1, len(mean) // 8)
            (drawn[label],) = axis.plot(
                smooth.index,
                smooth,
                color=look.colour,
                ls=look.line,
                marker=look.marker,
                markevery=every,
                ms=5,
                lw=1.6,
            )
        axis.set_xlabel("step")
        axis.set_ylabel("loss, mean over cells")
        legend_below(figure, drawn)
    return figure
