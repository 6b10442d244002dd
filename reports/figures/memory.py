"""Peak memory of every stage, in the order in which the stages run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmark.measure import STAGES
from reports.figures.style import legend_below, looks, shade
from reports.format import size


def memory_by_stage(
    frame: pd.DataFrame, dark: bool = False, colours: Mapping[str, str] | None = None
) -> Figure:
    """A line per method with a step per stage; a gap where a method has no such stage.

    `frame` is tidy: label, method, stage, bytes, measure (`reports.frames.memory_by_stage`).
    Raises ValueError for no figures.
    """
    if frame.empty:
        raise ValueError("no memory was measured")
    _, style = shade(dark)
    there = set(frame["stage"])
    stages = [stage for stage in STAGES if stage in there]
    stages += sorted(there - set(stages))
    marks = looks(frame, colours)
    drawn: dict[str, Any] = {}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.4, 3.9), layout="constrained")
        axis = figure.subplots()
        for number, (label, look) in enumerate(marks.items()):
            peaks = frame[frame["label"] == label].set_index("stage")["bytes"].reindex(stages)
            # Methods with the same peak lie beside each other, not over each other.
            centres = np.arange(len(stages)) + (number - (len(marks) - 1) / 2) * 0.6 / len(marks)
            (drawn[label],) = axis.plot(
                centres,
                peaks.to_numpy(np.float64),
                color=look.colour,
                ls=look.line,
                marker=look.marker,
                drawstyle="steps-mid",
                lw=1.1,
                ms=6,
            )
        axis.set_xticks(range(len(stages)), stages)
        axis.set_ylim(bottom=0)
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: size(value)))
        axis.set_ylabel(f"peak memory ({frame['measure'].iloc[0]})")
        legend_below(figure, drawn)
    return figure
