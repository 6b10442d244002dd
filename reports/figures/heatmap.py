"""Scores of every subject with every method, as colours and numbers."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures.style import legend_text, shade
from reports.format import number, plain

NUMBERS_UP_TO = 12
"""Methods beside which a number still fits into its square."""


def heatmap(scores: pd.DataFrame, score: str, dark: bool = False) -> Figure:
    """Subjects down, methods across, in the order of the frame; a gap where there is no score.

    `scores` are tidy: label, subject, value, one score (`reports.frames.subject_scores`), `score`
    what it is called. Raises ValueError for no scores.
    """
    if scores.empty:
        raise ValueError("no scores to draw")
    ink, style = shade(dark)
    labels = list(dict.fromkeys(scores["label"]))
    subjects = sorted(scores["subject"].unique())
    grid = np.full((len(subjects), len(labels)), np.nan)
    for row in scores.to_dict("records"):
        grid[subjects.index(row["subject"]), labels.index(row["label"])] = row["value"]
    with matplotlib.rc_context(style):
        size = (0.75 * len(labels) + 2.6, 0.27 * len(subjects) + 1.6)
        figure = Figure(figsize=size, layout="constrained")
        axis = figure.subplots()
        # Cividis looks alike with and without red-green blindness and is even in grey.
        image = axis.imshow(grid, cmap="cividis", aspect="auto")
        axis.set_xticks(range(len(labels)), [legend_text(label) for label in labels])
        axis.tick_params(axis="x", rotation=40)
        for text in axis.get_xticklabels():
            text.set_horizontalalignment("right")
            text.set_rotation_mode("anchor")
        axis.set_yticks(range(len(subjects)), [legend_text(name) for name in subjects])
        axis.grid(visible=False)
        if len(labels) <= NUMBERS_UP_TO:
            middle: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6.5}
            bright = np.nanmin(grid) + 0.55 * (np.nanmax(grid) - np.nanmin(grid))
            for down, across in zip(*np.nonzero(~np.isnan(grid)), strict=True):
                value = float(grid[down, across])
                colour = "#000000" if value > bright else "#ffffff"
                axis.text(across, down, number(value), color=colour, **middle)
        bar = figure.colorbar(image, ax=axis, label=plain(score))
        bar.outline.set_edgecolor(ink)
    return figure
