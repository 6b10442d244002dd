"""The figures of a page: one SVG each, which the page's script recolours for a dark ground."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from reports.figure_set import figure_set
from reports.figures import fidelity_alignment, panels, svg
from reports.figures.style import INK
from reports.frames import subject_scores
from reports.page.thumbnails import data_uri
from reports.ranks import critical_difference, headline_ranks
from reports.score_tables import score_head
from reports.tables import Column, belongs, headline

SCATTER = (
    "Scatter of subject fidelity against prompt alignment, one mark per method; up and to the "
    "right is better. Its numbers are in the tables of scores.",
    "Up and to the right is better. Filled marks are methods, open marks controls.",
)
ELLIPSES = " Ellipses are joint 95% regions of the means over subjects."
INTERVAL = " The bar is its 95% interval."
# Name in `figure_set` -> title, alternative text, caption.
WORDS = {
    "fidelity_alignment": ("Fidelity against alignment, by every pair of encoders", *SCATTER),
    "pareto": (
        "Quality against cost",
        "Scatter of a score against memory, training time and checkpoint size, one mark per "
        "method. Its numbers are in the tables of scores and of cost.",
        "The line joins the methods that no other beats in both.",
    ),
    "differences": (
        "Differences by subject",
        "Dot plot of the paired differences between methods, one dot per subject. Its numbers "
        "follow from the table of subjects.",
        "One small mark per subject; the large one is the mean.",
    ),
    "heatmap": (
        "Every subject with every method",
        "Heat map of the mean score of every subject with every method. Its numbers are in the "
        "table of subjects.",
        "Means over prompts and seeds.",
    ),
    "memory": (
        "Peak memory by stage",
        "Peak memory of every stage, one line per method.",
        "The highest peak of every stage over a method's cells.",
    ),
    "loss": (
        "Loss along training",
        "Loss of every step of training, one line per method.",
        "Losses of different methods are not comparable with each other.",
    ),
    "ranks": (
        "Ranks over subjects",
        "Mean ranks of the methods over subjects, one line per headline score; a bar joins methods "
        "that cannot be told apart. Ranks follow from the scores per subject.",
        "Every subject ranks the methods; 1 is best. A bar joins methods whose mean ranks differ "
        "by no more than Nemenyi's critical difference at 5%. It asks less than the verdict, which "
        "corrects over all headline scores: where they differ, the verdict counts.",
    ),
}
FILES = {"fidelity_alignment": "fidelity-alignment", "ranks": "ranks"}
"""Figures that are files beside the page too -> stem of the file."""
OF_COST = ("memory", "loss", "pareto")


@dataclass(frozen=True)
class Drawing:
    """A figure of the page."""

    name: str
    """Of its region; no two alike."""
    title: str
    """Empty for none."""
    alt: str
    caption: str
    source: str
    """A data URI."""

    @property
    def inks(self) -> str:
        """Colours to replace on a dark ground: `light dark light dark`."""
        pairs = zip(INK["light"], INK["dark"], strict=True)
        return " ".join(colour for pair in pairs for colour in pair)


@dataclass(frozen=True)
class Drawings:
    """The figures of a page, and those that are written as files too."""

    main: Drawing | None
    of_scores: tuple[Drawing, ...]
    of_cost: tuple[Drawing, ...]
    files: dict[str, tuple[bytes, Figure]]
    """Stem of the file -> the figure as SVG, and itself for what else it is written as."""


def draw(
    results: pd.DataFrame, table: pd.DataFrame, costs: pd.DataFrame, losses: pd.DataFrame | None
) -> Drawings:
    """Every figure that there is something for. `table` is the summary of `results`."""
    found = figure_set(results, table, costs, losses=losses)
    ranked = headline_ranks(results, table) if len(table) else []
    if ranked:
        found["ranks"] = critical_difference(ranked)
    drawn = {name: svg(figure) for name, figure in found.items()}
    files = {stem: (drawn[name], found[name]) for name, stem in FILES.items() if name in found}
    main = None
    if len(table) and (pairs := panels(table)):
        # With one pair of encoders the main figure is the figure of all pairs.
        only = drawn.pop("fidelity_alignment") if len(pairs) == 1 else None
        first = found["fidelity_alignment"] if only else _first_pair(results, table)
        main = _main(only or svg(first), first)
    scores = headline(table) if len(table) else []
    made = {name: _drawing(name, content, scores, found[name]) for name, content in drawn.items()}
    return Drawings(
        main=main,
        of_scores=tuple(d for name, d in made.items() if not name.startswith(OF_COST)),
        of_cost=tuple(d for name, d in made.items() if name.startswith(OF_COST)),
        files=files,
    )


def _first_pair(results: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Fidelity against alignment by the first pair of encoders."""
    x, y = panels(table)[0]
    first = table[belongs(table, x) | belongs(table, y)]
    return fidelity_alignment(first, subject_scores=subject_scores(results, [x, y]))


def _main(content: bytes, figure: Figure) -> Drawing:
    alt, caption = SCATTER
    return Drawing("fidelity against alignment", "", alt, caption + _spans(figure), _uri(content))


def _drawing(name: str, content: bytes, scores: list[Column], figure: Figure) -> Drawing:
    """The figure with its words; `pareto_2` belongs to the second of the headline scores."""
    kind, _, number = name.rpartition("_")
    if not number.isdigit():
        title, alt, caption = WORDS[name]
    else:
        title, alt, caption = WORDS[kind]
        title = f"{title}: {score_head(scores[int(number) - 1]).title}"
    return Drawing(title, title, alt, caption + _spans(figure), _uri(content))


def _spans(figure: Figure) -> str:
    """What the ellipses or the bars of a figure are; nothing where it has none."""
    if any(isinstance(patch, Ellipse) for axis in figure.axes for patch in axis.patches):
        return ELLIPSES
    bars = [bar for axis in figure.axes for bar in axis.containers]
    return INTERVAL if any(getattr(bar, "has_xerr", False) for bar in bars) else ""


def _uri(content: bytes) -> str:
    return data_uri(content, "image/svg+xml")
