"""How figures look: one mark per method everywhere, and the same bytes for the same figure."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports.format import plain


@dataclass(frozen=True)
class Mark:
    """How a method is drawn, in every figure of every report."""

    colour: str
    marker: str
    line: str = "-"
    """matplotlib's line style."""


# Colours of Okabe and Ito that stay apart for colour-blind readers; markers and line styles say
# it once more, for readers without colours.
MARKS = {
    "textboost": Mark("#0072B2", "o", "-"),
    "textboost-v2": Mark("#56B4E9", "o", "--"),
    "textboost++": Mark("#56B4E9", "P", "-."),
    "dreambooth": Mark("#D55E00", "s", "-"),
    "dreambooth-lora": Mark("#E69F00", "s", "--"),
    "textual-inversion": Mark("#009E73", "^", "-."),
    "custom-diffusion": Mark("#CC79A7", "D", ":"),
    "base": Mark("#8a8a8a", "X", ":"),
    "copy": Mark("#8a8a8a", "v", "--"),
    "oracle": Mark("#8a8a8a", "*", "-."),
}
OTHER_MARKS = (
    Mark("#F0E442", "h", "--"),
    Mark("#CC79A7", "p", "-."),
    Mark("#E69F00", "d", ":"),
    Mark("#009E73", "<", "--"),
    Mark("#D55E00", ">", "-."),
)
# For a method's second preset, third preset, ...: its colour, another marker.
MORE_MARKERS = ("8", "p", "d", "h", "<", ">")
INK = {"light": ("#1f1f1f", "#d9d9d9"), "dark": ("#e8e8e6", "#4a4a4a")}
"""Colours of text and of the grid, by shade."""


def mark(method: str, colours: Mapping[str, str] | None = None) -> Mark:
    """The mark of a method; one of the spare ones, fixed by its name, for a method not ours.

    `colours`: method -> colour of the reader's choice (`reports.naming`).
    """
    spare = OTHER_MARKS[zlib.crc32(method.encode()) % len(OTHER_MARKS)]
    own = MARKS.get(method, spare)
    return replace(own, colour=(colours or {}).get(method, own.colour))


def looks(frame: pd.DataFrame, colours: Mapping[str, str] | None = None) -> dict[str, Mark]:
    """The mark of every `label` of a frame that has the columns label and method, in its order.

    Presets of one method share its colour and differ in their markers.
    """
    pairs = frame[["label", "method"]].drop_duplicates("label")
    found: dict[str, Mark] = {}
    seen: dict[str, int] = {}
    for label, method in zip(pairs["label"], pairs["method"].astype("str"), strict=True):
        number = seen.get(method, 0)
        look = mark(method, colours)
        if number:
            look = replace(look, marker=MORE_MARKERS[(number - 1) % len(MORE_MARKERS)])
        seen[method] = number + 1
        found[label] = look
    return found


def figure_style(ink: str, grid: str) -> Any:
    """matplotlib's settings for all figures."""
    return {
        "font.size": 9.5,
        "font.family": "sans-serif",
        "text.color": ink,
        "text.parse_math": False,
        "axes.labelcolor": ink,
        "axes.titlesize": 9.5,
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


def shade(dark: bool) -> tuple[str, Any]:
    """The colour of text, and matplotlib's settings, for a light or a dark page."""
    ink, grid = INK["dark" if dark else "light"]
    return ink, figure_style(ink, grid)


def legend_below(figure: Figure, handles: Mapping[str, Any], columns: int = 4) -> None:
    """One legend under all panels, from label -> handle."""
    figure.legend(
        list(handles.values()),
        [legend_text(label) for label in handles],
        loc="outside lower center",
        ncols=columns,
        frameon=False,
    )


def legend_text(label: str) -> str:
    """A label for a legend: short, and never left out for the underscore it begins with."""
    text = plain(label, 40)
    return f" {text}" if text.startswith("_") else text


def svg(figure: Figure) -> bytes:
    """The figure as SVG: the same bytes for the same figure."""
    content = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "reports"}):
        # `savefig` would draw it twice, the first time for its layout alone.
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(content, metadata={"Date": None, "Creator": None})
    return content.getvalue()


def png(figure: Figure) -> bytes:
    """The figure as PNG on white, 160 dots per inch."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return content.getvalue()


def pdf(figure: Figure) -> bytes:
    """The figure as PDF with its fonts embedded: the same bytes for the same figure."""
    content = BytesIO()
    about = {"CreationDate": None, "Creator": None, "Producer": None}
    # Type 42 fonts: publishers refuse matplotlib's usual Type 3.
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        figure.savefig(content, format="pdf", metadata=about)
    return content.getvalue()
