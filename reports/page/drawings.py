"""The figures of a page: one SVG each, which the page's script recolours for a dark ground."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

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
    "Up and to the right is better. Filled marks are methods, open marks controls; ellipses are "
    "joint 95% regions of the means over subjects.",
)
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
        "One dot per subject; the bar is the mean with its 95% interval.",
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
        "by no more than Nemenyi's critical difference at 5%.",
    ),
}
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
    files: dict[str, Figure]
    """Stem of the file -> figure."""


def draw(
    results: pd.DataFrame, table: pd.DataFrame, costs: pd.DataFrame, losses: pd.DataFrame | None
) -> Drawings:
    """Every figure that there is something for. `table` is the summary of `results`."""
    found = figure_set(results, table, costs, losses=losses)
    files = {}
    if "fidelity_alignment" in found:
        files["fidelity-alignment"] = found["fidelity_alignment"]
    if len(panels(table) if len(table) else []) < 2:
        found.pop("fidelity_alignment", None)
    ranked = headline_ranks(results, table) if len(table) else []
    if ranked:
        found["ranks"] = files["ranks"] = critical_difference(ranked)
    scores = headline(table) if len(table) else []
    made = {name: _drawing(name, figure, scores) for name, figure in found.items()}
    return Drawings(
        main=_main(results, table),
        of_scores=tuple(d for name, d in made.items() if not name.startswith(OF_COST)),
        of_cost=tuple(d for name, d in made.items() if name.startswith(OF_COST)),
        files=files,
    )


def _main(results: pd.DataFrame, table: pd.DataFrame) -> Drawing | None:
    """Fidelity against alignment by the first pair of encoders; None where one is missing."""
    pairs = panels(table) if len(table) else []
    if not pairs:
        return None
    x, y = pairs[0]
    first = table[belongs(table, x) | belongs(table, y)]
    figure = fidelity_alignment(first, subject_scores=subject_scores(results, [x, y]))
    alt, caption = SCATTER
    return Drawing("fidelity against alignment", "", alt, caption, _uri(figure))


def _drawing(name: str, figure: Figure, scores: list[Column]) -> Drawing:
    """The figure with its words; `pareto_2` belongs to the second of the headline scores."""
    kind, _, number = name.rpartition("_")
    if not number.isdigit():
        title, alt, caption = WORDS[name]
    else:
        title, alt, caption = WORDS[kind]
        title = f"{title}: {score_head(scores[int(number) - 1]).title}"
    return Drawing(title, title, alt, caption, _uri(figure))


def _uri(figure: Figure) -> str:
    return data_uri(svg(figure), "image/svg+xml")
