"""Figures, as pure functions of a summary (`reports.tables.summary`)."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from reports.tables import Column, Score, columns, values


@dataclass(frozen=True)
class Mark:
    """How a method is drawn, in every figure of every report."""

    colour: str
    marker: str


# Colours of Okabe and Ito that stay apart for colour-blind readers; markers say it once more.
MARKS = {
    "textboost": Mark("#0072B2", "o"),
    "textboost-v2": Mark("#56B4E9", "o"),
    "textboost++": Mark("#56B4E9", "P"),
    "dreambooth": Mark("#D55E00", "s"),
    "dreambooth-lora": Mark("#E69F00", "s"),
    "textual-inversion": Mark("#009E73", "^"),
    "custom-diffusion": Mark("#CC79A7", "D"),
    "base": Mark("#8a8a8a", "D"),
    "copy": Mark("#8a8a8a", "v"),
    "oracle": Mark("#8a8a8a", "*"),
}
OTHER_MARKS = (
    Mark("#F0E442", "h"),
    Mark("#CC79A7", "p"),
    Mark("#E69F00", "d"),
    Mark("#009E73", "<"),
    Mark("#D55E00", ">"),
)


def mark(method: str) -> Mark:
    """The mark of a method; one of the spare ones, fixed by its name, for a method not ours."""
    spare = OTHER_MARKS[zlib.crc32(method.encode()) % len(OTHER_MARKS)]
    return MARKS.get(method, spare)


def panels(table: pd.DataFrame) -> list[tuple[Column, Column]]:
    """(alignment, fidelity) for every pair of encoders; empty where one of them was not scored."""
    found = columns(table)
    fidelity = [column for column in found if column.metric == "fidelity"]
    held_out = [column for column in fidelity if column.reference == "unseen"]
    alignment = [column for column in found if column.metric == "alignment"]
    return [(x, y) for x in alignment for y in held_out or fidelity]


def fidelity_alignment(table: pd.DataFrame, dark: bool = False) -> Figure:
    """Subject fidelity against prompt alignment, one panel per pair of encoders.

    Points are means over subjects, bars their 95% intervals where there are enough subjects;
    a dashed line marks what real photos reach. Raises ValueError when a score is missing.
    """
    pairs = panels(table)
    if not pairs:
        raise ValueError("the figure needs both fidelity and alignment scores")
    ink, grid = ("#e8e8e6", "#4a4a4a") if dark else ("#1f1f1f", "#d9d9d9")
    across = min(len(pairs), 2)
    down = math.ceil(len(pairs) / across)
    with matplotlib.rc_context(figure_style(ink, grid)):
        figure = Figure(figsize=(4.6 * across, 3.9 * down + 0.7), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False).flat
        drawn: dict[str, Any] = {}
        for axis, (x, y) in zip(axes, pairs, strict=False):
            drawn |= _panel(axis, table, x, y, ink)
        for axis in list(figure.axes)[len(pairs) :]:
            axis.remove()
        figure.legend(
            drawn.values(), drawn.keys(), loc="outside lower center", ncols=4, frameon=False
        )
    return figure


def _panel(axis: Any, table: pd.DataFrame, x: Column, y: Column, ink: str) -> dict[str, Any]:
    """Draws one panel and returns label -> handle."""
    across, up = values(table, x), values(table, y)
    handles: dict[str, Any] = {}
    for label, right in across.items():
        if label not in up:
            continue
        top = up[label]
        control = top.kind == "control"
        look = mark(top.method)
        handles[label] = axis.errorbar(
            right.mean,
            top.mean,
            xerr=_reach(right),
            yerr=_reach(top),
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
    axis.set_xlabel(f"{x.name} ({x.encoder})  better →")
    axis.set_ylabel(f"{y.name} ({y.encoder})  better →")
    axis.margins(0.12)
    return handles


def _reach(score: Score) -> list[list[float]] | None:
    """Lengths of the error bar below and above the mean; None without an interval."""
    if math.isnan(score.low) or math.isnan(score.high):
        return None
    return [[max(0.0, score.mean - score.low)], [max(0.0, score.high - score.mean)]]


def figure_style(ink: str, grid: str) -> Any:
    """matplotlib's settings for all figures."""
    return {
        "font.size": 9.5,
        "font.family": "sans-serif",
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": grid,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "xtick.color": ink,
        "ytick.color": ink,
        "axes.grid": True,
        "grid.color": grid,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }


def svg(figure: Figure) -> bytes:
    """The figure as SVG: the same bytes for the same figure."""
    from io import BytesIO

    content = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "reports"}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()


def png(figure: Figure) -> bytes:
    """The figure as PNG on white, 160 dots per inch."""
    from io import BytesIO

    content = BytesIO()
    figure.savefig(content, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return content.getvalue()
