"""Figures. Every function takes a tidy frame and returns a matplotlib Figure; none reads a run.

A method looks the same in all of them (`style`). The frames are made by `reports.frames`.
"""

from __future__ import annotations

from reports.figures.along_training import losses
from reports.figures.differences import paired_differences
from reports.figures.heatmap import heatmap
from reports.figures.memory import memory_by_stage
from reports.figures.pareto import pareto
from reports.figures.scatter import fidelity_alignment, panels
from reports.figures.style import (
    MARKS,
    OTHER_MARKS,
    Mark,
    figure_style,
    looks,
    mark,
    pdf,
    png,
    svg,
)

__all__ = [
    "MARKS",
    "OTHER_MARKS",
    "Mark",
    "fidelity_alignment",
    "figure_style",
    "heatmap",
    "looks",
    "losses",
    "mark",
    "memory_by_stage",
    "paired_differences",
    "panels",
    "pareto",
    "pdf",
    "png",
    "svg",
]
