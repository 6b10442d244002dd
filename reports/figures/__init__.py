"""Figures. Every function takes a tidy frame and returns a matplotlib Figure; none reads a run.

A method looks the same in all of them (`style`). The frames are made by `reports.frames`.
"""

from __future__ import annotations

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
    "looks",
    "mark",
    "panels",
    "pdf",
    "png",
    "svg",
]
