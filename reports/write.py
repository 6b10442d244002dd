"""Writes the files of a report; the only module here that does."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from benchmark.atomic import write_bytes, write_text
from reports import format as show
from reports.costs import cost_table, cost_text, settings_table
from reports.figures import fidelity_alignment, panels, png, svg
from reports.page.build import Drawing, Findings, html
from reports.page.gallery import gallery
from reports.page.material import Material
from reports.page.thumbnails import data_uri, embedded, thumbnails
from reports.ranks import critical_difference, headline_ranks
from reports.tables import belongs, differences, summary, wide
from reports.text import comparison_text, differences_text, markdown
from reports.verdicts import cautions, control_checks, verdict, verdicts

SCATTER_ALT = (
    "Scatter of subject fidelity against prompt alignment, one mark per method with its intervals; "
    "up and to the right is better. Its numbers are in the table of scores."
)
SCATTER_CAPTION = (
    "Up and to the right is better. Filled marks are methods, open marks controls; bars are 95% "
    "intervals."
)
RANKS_ALT = (
    "Mean ranks of the methods over subjects, one line per headline score; a bar joins methods "
    "that cannot be told apart. Ranks follow from the scores per subject."
)
RANKS_CAPTION = (
    "Every subject ranks the methods; 1 is best. A bar joins methods whose mean ranks differ by no "
    "more than Nemenyi's critical difference at 5%."
)


def write_report(
    material: Material, folder: Path, embed: bool = False, refresh_seconds: int | None = None
) -> Path:
    """All files of a report, into `folder`; returns the path of index.html, written last."""
    results, costs = material.results, material.costs
    table = summary(results) if len(results) else pd.DataFrame()
    compared = differences(results, table) if len(results) else pd.DataFrame()
    measured = cost_table(costs) if len(costs) else pd.DataFrame()
    settings = settings_table(material.cells)
    texts = differences_text(compared)
    prices = cost_text(measured) if len(measured) else pd.DataFrame()
    if len(table):
        _frame(folder / "comparison", wide(table), comparison_text(table))
    if len(compared):
        _frame(folder / "differences", compared, texts)
    if len(measured):
        _frame(folder / "costs", measured, prices)
    write_text(folder / "settings.csv", settings.to_csv(index=False))
    findings = Findings(
        summary=table,
        said=(verdict(results, table) or ()) if len(table) else (),
        details=tuple(verdicts(table, compared)) if len(table) else (),
        cautions=tuple(cautions(table)) if len(table) else (),
        checks=tuple(control_checks(table)) if len(table) else (),
        differences=texts,
        costs=prices,
        cost_numbers=measured.rename(columns={"label": "method"}),
        settings=settings.fillna(show.MISSING),
        main_figure=_main_figure(table) if len(table) else None,
        figures=_figures(results, table, folder) if len(table) else (),
    )
    make = embedded if embed else partial(thumbnails, report=folder)
    shown = gallery(material, table, make, all_of_them=not embed)
    index = folder / "index.html"
    write_text(index, html(material, findings, shown, refresh_seconds))
    return index


def _main_figure(table: pd.DataFrame) -> Drawing | None:
    """Fidelity against alignment by the first pair of encoders; None where one is missing."""
    pairs = panels(table)
    if not pairs:
        return None
    x, y = pairs[0]
    first = table[belongs(table, x) | belongs(table, y)]
    return _drawing(
        "fidelity against alignment",
        "",
        SCATTER_ALT,
        SCATTER_CAPTION,
        svg(fidelity_alignment(first)),
        svg(fidelity_alignment(first, dark=True)),
    )


def _figures(results: pd.DataFrame, table: pd.DataFrame, folder: Path) -> tuple[Drawing, ...]:
    """The figures under the table of scores, which are written as SVG and PNG too."""
    drawings = []
    pairs = panels(table)
    if pairs:
        figure = fidelity_alignment(table)
        light = svg(figure)
        write_bytes(folder / "fidelity-alignment.svg", light)
        write_bytes(folder / "fidelity-alignment.png", png(figure))
        if len(pairs) > 1:
            dark = svg(fidelity_alignment(table, dark=True))
            title = "Fidelity against alignment, by every pair of encoders"
            drawings.append(
                _drawing("all scatters", title, SCATTER_ALT, SCATTER_CAPTION, light, dark)
            )
    ranked = headline_ranks(results, table)
    if ranked:
        figure = critical_difference(ranked)
        light = svg(figure)
        write_bytes(folder / "ranks.svg", light)
        write_bytes(folder / "ranks.png", png(figure))
        dark = svg(critical_difference(ranked, dark=True))
        title = "Ranks over subjects"
        drawings.append(_drawing("ranks", title, RANKS_ALT, RANKS_CAPTION, light, dark))
    return tuple(drawings)


def _drawing(name: str, title: str, alt: str, caption: str, light: bytes, dark: bytes) -> Drawing:
    kind = "image/svg+xml"
    return Drawing(name, title, alt, caption, data_uri(light, kind), data_uri(dark, kind))


def _frame(stem: Path, numbers: pd.DataFrame, words: pd.DataFrame) -> None:
    """NAME.csv with the numbers in full, NAME.md with them as they are read."""
    write_text(stem.with_suffix(".csv"), numbers.to_csv(index=False))
    write_text(stem.with_suffix(".md"), markdown(words))
