"""The columns of a table of scores and costs, chosen by name: `fidelity,CLIP-T,peak_memory`.

A score is named by its metric, and may be narrowed by reference and encoder: `fidelity`,
`fidelity:unseen`, `fidelity@clip-vit-b-32`, `fidelity:unseen@clip-vit-b-32`. Papers' names stand
for one metric with the encoders of one family. `headline` and `all` stand for those scores. A cost
is named by one of `reports.cost_figures`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmark.errors import UserError
from benchmark.subjects import unknown
from reports.cost_figures import COSTS, CostFigure
from reports.format import plain
from reports.tables import REFERENCE_ORDER, Column, columns, headline

# Papers' names -> metric and the beginning of its encoders' names. The toy world's own encoder is
# a CLIP too, but no column of a paper.
FAMILIES = {
    "clip-t": ("alignment", "clip-vit-"),
    "clip-i": ("fidelity", "clip-vit-"),
    "dino": ("fidelity", "dino-"),
    "dinov2": ("fidelity", "dinov2-"),
}
PAPERS_NAMES = {"clip-t": "CLIP-T", "clip-i": "CLIP-I", "dino": "DINO", "dinov2": "DINOv2"}
IN_MAIN = ("fidelity", "alignment")
"""Metrics of the main table where none are chosen."""


def chosen(table: pd.DataFrame, names: Sequence[str] | None = None) -> list[Column | CostFigure]:
    """The columns with these names, in their order, each once; `table` is a summary.

    Without names: fidelity and alignment, or all scores where there are neither. Raises UserError
    for a name that stands for nothing here; it lists what there is.
    """
    there = columns(table) if len(table) else []
    if names is None:
        return [column for column in there if column.metric in IN_MAIN] or list(there)
    found: list[Column | CostFigure] = []
    for name in names:
        found += _named(name, table, there)
    return list(dict.fromkeys(found))


def known_names(table: pd.DataFrame) -> list[str]:
    """Every name that stands for something, without those narrowed by reference or encoder."""
    there = columns(table) if len(table) else []
    metrics = list(dict.fromkeys(column.metric for column in there))
    families = [PAPERS_NAMES[name] for name in FAMILIES if _of_family(name, there)]
    groups = ["headline", "all"] if there else []
    return [*metrics, *families, *groups, *COSTS]


def _named(name: str, table: pd.DataFrame, there: list[Column]) -> list[Column] | list[CostFigure]:
    if name.casefold() in COSTS:
        return [COSTS[name.casefold()]]
    if there and name.casefold() == "all":
        return there
    if there and name.casefold() == "headline":
        return headline(table)
    rest, _, encoder = name.partition("@")
    metric, reference = _parted(rest.strip())
    key = metric.casefold()
    if key in FAMILIES:
        found = _of_family(key, there)
    else:
        found = [column for column in there if column.metric.casefold() == key]
    if reference:
        found = [column for column in found if column.reference == reference]
    if encoder:
        found = [column for column in found if column.encoder == encoder.strip()]
    if not found:
        near = unknown("column", plain(name), known_names(table), " in --columns")
        raise UserError(f"{near}; narrowed as in fidelity:unseen@{_some_encoder(there)}")
    return found


def _of_family(name: str, there: list[Column]) -> list[Column]:
    metric, family = FAMILIES[name]
    return [c for c in there if c.metric == metric and (c.encoder or "").startswith(family)]


def _parted(text: str) -> tuple[str, str]:
    """Metric and reference of `fidelity:unseen` or `fidelity unseen`."""
    for reference in REFERENCE_ORDER:
        for mark in (":", " "):
            if text.casefold().endswith(f"{mark}{reference}"):
                return text[: -len(reference) - 1].strip(), reference
    return text, ""


def _some_encoder(there: list[Column]) -> str:
    return next((column.encoder for column in there if column.encoder), "clip-vit-b-32")
