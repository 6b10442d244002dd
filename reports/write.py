"""Writes the files of a report; the only module here that does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchmark.atomic import write_bytes, write_text
from reports.costs import cost_table, cost_text, settings_table
from reports.figures import fidelity_alignment, panels, png, svg
from reports.page import Contents, html
from reports.ranks import critical_difference, headline_ranks
from reports.tables import differences, summary, wide
from reports.text import comparison_text, differences_text, markdown

if TYPE_CHECKING:
    from benchmark.store import Run


def write_report(run: Run, folder: Path) -> Path:
    """All files of a run's report, into `folder`; returns the path of index.html."""
    results, costs = run.results(), run.costs()
    table = summary(results) if len(results) else pd.DataFrame()
    figure = fidelity_alignment(table) if len(table) and panels(table) else None
    scatter = {}
    if figure is not None:
        scatter = {"light": svg(figure), "dark": svg(fidelity_alignment(table, dark=True))}
        write_bytes(folder / "fidelity-alignment.svg", scatter["light"])
        write_bytes(folder / "fidelity-alignment.png", png(figure))
    ranked = headline_ranks(results, table) if len(table) else []
    ranks = {}
    if ranked:
        figure = critical_difference(ranked)
        ranks = {"light": svg(figure), "dark": svg(critical_difference(ranked, dark=True))}
        write_bytes(folder / "ranks.svg", ranks["light"])
        write_bytes(folder / "ranks.png", png(figure))
    contents = Contents(
        summary=table,
        differences=differences(results, table) if len(results) else pd.DataFrame(),
        costs=cost_table(costs) if len(costs) else pd.DataFrame(),
        settings=settings_table(run.cell_info()),
        scatter=scatter,
        ranks=ranks,
    )
    if len(table):
        _frame(folder / "comparison", wide(table), comparison_text(table))
    if len(contents.differences):
        _frame(folder / "differences", contents.differences, differences_text(contents.differences))
    if len(contents.costs):
        _frame(folder / "costs", contents.costs, cost_text(contents.costs))
    write_text(folder / "settings.csv", contents.settings.to_csv(index=False))
    index = folder / "index.html"
    write_text(index, html(run, contents))
    return index


def _frame(stem: Path, numbers: pd.DataFrame, words: pd.DataFrame) -> None:
    """NAME.csv with the numbers in full, NAME.md with them as they are read."""
    write_text(stem.with_suffix(".csv"), numbers.to_csv(index=False))
    write_text(stem.with_suffix(".md"), markdown(words))
