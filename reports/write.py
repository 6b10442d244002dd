"""Writes the files of a report; the only module here that does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmark.atomic import write_bytes, write_text
from reports import format as show
from reports.cells import Table
from reports.cost_figures import cost_notes
from reports.costs import cost_table, cost_text, settings_table
from reports.data_files import frame_csv
from reports.fact_tables import costs_in_cells
from reports.figures import png
from reports.leads import leads
from reports.markup import escaped
from reports.page.build import Findings, html
from reports.page.drawings import draw
from reports.page.gallery import gallery
from reports.page.material import Material
from reports.page.thumbnails import Thumbnail, embedded, thumbnails
from reports.score_tables import prompt_tables, subject_tables
from reports.shortfalls import footnotes, with_footnotes
from reports.tables import columns, differences, over_fewer, summary, unmarked, wide
from reports.text import comparison_text, differences_text, markdown
from reports.verdicts import (
    cautions,
    control_checks,
    in_short,
    metric_cautions,
    verdict,
    verdicts,
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
    short = footnotes(material.cells)
    texts = differences_text(compared)
    prices = cost_text(measured, costs) if len(measured) else pd.DataFrame()
    if len(table):
        all_of_them = columns(table)
        told = [why(table, all_of_them) for why in (over_fewer, unmarked)]
        below = [*filter(None, told), *short]
        _frame(folder / "comparison", wide(table), comparison_text(table), below)
    if len(compared):
        _frame(folder / "differences", compared, texts, short)
    if len(measured):
        _frame(folder / "costs", measured, prices, [*cost_notes(costs), *short])
    write_text(folder / "settings.csv", frame_csv(settings))
    found = leads(results, table) if len(table) else {}
    drawings = draw(results, table, costs, material.losses)
    for stem, (content, figure) in drawings.files.items():
        write_bytes(folder / f"{stem}.svg", content)
        write_bytes(folder / f"{stem}.png", png(figure))
    findings = Findings(
        summary=table,
        in_short=in_short(found, table) if len(table) else None,
        said=(verdict(found, table) or ()) if len(table) else (),
        details=tuple(verdicts(table, compared)) if len(table) else (),
        cautions=tuple(cautions(table)) if len(table) else (),
        metric_cautions=tuple(metric_cautions(table)) if len(table) else (),
        checks=tuple(control_checks(table)) if len(table) else (),
        differences=texts,
        costs=prices,
        cost_numbers=measured.rename(columns={"label": "method"}),
        settings=settings.fillna(show.MISSING),
        tables=tuple(with_footnotes(_score_tables(results, table), material.cells)),
        cost_table=costs_in_cells(costs) if len(costs) else None,
        leads=found,
        drawings=drawings,
    )

    def make(paths: Iterable[Path], sums: Mapping[Path, str]) -> Mapping[Path, Thumbnail]:
        return embedded(paths, sums) if embed else thumbnails(paths, folder, sums)

    # A page that may be taken elsewhere alone links to nothing beside it.
    beside = None if embed else folder
    shown = gallery(material, table, make, beside, all_of_them=not embed)
    index = folder / "index.html"
    write_text(index, html(material, findings, shown, refresh_seconds))
    return index


def _score_tables(results: pd.DataFrame, table: pd.DataFrame) -> tuple[Table, ...]:
    """Scores by subject and by prompt."""
    if table.empty:
        return ()
    return (*subject_tables(results, table), *prompt_tables(results, table))


def _frame(stem: Path, numbers: pd.DataFrame, words: pd.DataFrame, notes: Sequence[str]) -> None:
    """NAME.csv with the numbers in full, NAME.md with them as they are read, and notes below."""
    write_text(stem.with_suffix(".csv"), frame_csv(numbers))
    below = "".join(f"\n{escaped(note, limit=None)}\n" for note in notes)
    write_text(stem.with_suffix(".md"), markdown(words) + below)
