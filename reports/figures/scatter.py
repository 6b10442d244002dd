"""Fidelity against alignment, from a summary (`reports.tables.summary`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray

from benchmark.stats import LEVEL, SUBJECTS_FOR_INTERVAL
from reports.figures.style import Mark, legend_below, looks, shade
from reports.format import plain
from reports.tables import Column, Score, belongs, columns, values


@dataclass(frozen=True)
class Region:
    """An ellipse: its centre, full axes, and the angle of the first axis in degrees."""

    centre: tuple[float, float]
    width: float
    height: float
    angle: float


def panels(table: pd.DataFrame) -> list[tuple[Column, Column]]:
    """(alignment, fidelity) for every pair of encoders; empty where one of them was not scored."""
    found = columns(table)
    fidelity = [column for column in found if column.metric == "fidelity"]
    held_out = [column for column in fidelity if column.reference == "unseen"]
    alignment = [column for column in found if column.metric == "alignment"]
    return [(x, y) for x in alignment for y in held_out or fidelity]


def region(points: NDArray[np.floating[Any]]) -> Region | None:
    """The 95% region of the mean of points [n, 2], one per subject; None for too few subjects.

    Its shape is the bootstrap's covariance of the mean over subjects, in the closed form that
    endless resamples reach, with n - 1 for n. Its size is Hotelling's: the squared radius is
    2 (n - 1) / (n - 2) times F's 95% point with 2 and n - 2 degrees of freedom. It is a joint
    region, and so reaches further than the two intervals.
    """
    # The quantile of F; scipy.stats takes long to import.
    from scipy.special import fdtri

    n = len(points)
    if n < SUBJECTS_FOR_INTERVAL:
        return None
    covariance = np.cov(points, rowvar=False) / n
    sizes, axes = np.linalg.eigh(covariance)
    reach = 2 * np.sqrt(np.maximum(sizes, 0) * 2 * (n - 1) / (n - 2) * fdtri(2, n - 2, LEVEL))
    x, y = points.mean(axis=0)
    # eigh sorts upwards: the last axis is the longest.
    angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
    return Region((float(x), float(y)), float(reach[1]), float(reach[0]), angle)


def fidelity_alignment(
    table: pd.DataFrame,
    dark: bool = False,
    subject_scores: pd.DataFrame | None = None,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Subject fidelity against prompt alignment, one panel per pair of encoders.

    Points are means over subjects; bars are their 95% intervals where there are enough subjects,
    or ellipses their joint 95% regions when `subject_scores` are given (`reports.frames`). A dashed
    line marks what real photos reach. Raises ValueError when a score is missing.
    """
    pairs = panels(table)
    if not pairs:
        raise ValueError("the figure needs both fidelity and alignment scores")
    ink, style = shade(dark)
    across = min(len(pairs), 2)
    down = math.ceil(len(pairs) / across)
    marks = looks(table[table["kind"] != "real photos"], colours)
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(4.6 * across, 3.9 * down + 0.7), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False).flat
        drawn: dict[str, Any] = {}
        for axis, (x, y) in zip(axes, pairs, strict=False):
            drawn |= _panel(axis, table, x, y, ink, marks, bars=subject_scores is None)
            if subject_scores is not None:
                _ellipses(axis, subject_scores, x, y, marks)
        for axis in list(figure.axes)[len(pairs) :]:
            axis.remove()
        legend_below(figure, drawn, 2 * across)
    return figure


def _panel(
    axis: Any,
    table: pd.DataFrame,
    x: Column,
    y: Column,
    ink: str,
    marks: Mapping[str, Mark],
    bars: bool,
) -> dict[str, Any]:
    """Draws one panel and returns label -> handle."""
    across, up = values(table, x), values(table, y)
    handles: dict[str, Any] = {}
    for label, right in across.items():
        if label not in up:
            continue
        top = up[label]
        control = top.kind == "control"
        look = marks[label]
        handles[label] = axis.errorbar(
            right.mean,
            top.mean,
            xerr=_reach(right) if bars else None,
            yerr=_reach(top) if bars else None,
            fmt=look.marker,
            color=look.colour,
            markerfacecolor="none" if control else look.colour,
            markersize=11 if look.marker == "*" else 8,
            markeredgewidth=1.4,
            elinewidth=1.1,
            zorder=2 if control else 3,
        )
    real = [score for score in up.values() if score.kind == "real photos"]
    for score in real[:1]:
        dashes = (0, (4, 3))
        handles[score.label] = axis.axhline(score.mean, color=ink, ls=dashes, lw=1, zorder=1)
    axis.set_xlabel(plain(f"{x.name} ({x.encoder})  better →"))
    axis.set_ylabel(plain(f"{y.name} ({y.encoder})  better →"))
    axis.margins(0.12)
    return handles


def _ellipses(
    axis: Any, subject_scores: pd.DataFrame, x: Column, y: Column, marks: Mapping[str, Mark]
) -> None:
    """The region of every method that has a point, over the subjects with both scores."""
    keys = ["label", "subject"]
    across, up = (
        subject_scores[belongs(subject_scores, c)].set_index(keys)["value"] for c in (x, y)
    )
    both = pd.DataFrame({"x": across, "y": up}).dropna()
    for label, look in marks.items():
        if label not in both.index.get_level_values("label"):
            continue
        found = region(both.loc[label].to_numpy(np.float64))
        if found is None:
            continue
        drawn = Ellipse(
            found.centre,
            found.width,
            found.height,
            angle=found.angle,
            facecolor=(look.colour, 0.12),
            edgecolor=look.colour,
            linestyle=look.line,
            linewidth=1.1,
            zorder=1,
        )
        drawn.set_label(label)
        axis.add_patch(drawn)
    axis.autoscale_view()


def _reach(score: Score) -> list[list[float]] | None:
    """Lengths of the error bar below and above the mean; None without an interval."""
    if math.isnan(score.low) or math.isnan(score.high):
        return None
    return [[max(0.0, score.mean - score.low)], [max(0.0, score.high - score.mean)]]
