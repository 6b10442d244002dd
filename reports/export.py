"""Tables in files: LaTeX, Markdown, HTML, CSV and JSON of the same cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.atomic import write_text
from benchmark.errors import UserError
from benchmark.subjects import unknown
from reports.cells import Table
from reports.data_files import csv_text, json_text
from reports.fact_tables import claims_in_cells, costs_in_cells, settings_in_cells
from reports.latex import latex
from reports.markup import html, markdown
from reports.naming import PLAIN, Naming, check_naming
from reports.score_tables import main_table, prompt_tables, subject_tables
from reports.shortfalls import with_footnotes
from reports.tables import labels, summary

FORMATS: dict[str, tuple[str, Callable[[Table], str]]] = {
    "csv": ("csv", csv_text),
    "latex": ("tex", latex),
    "markdown": ("md", markdown),
    "html": ("html", html),
    "json": ("json", json_text),
}
"""Name -> ending of its files, and what writes them."""


def all_tables(
    results: pd.DataFrame,
    table: pd.DataFrame,
    costs: pd.DataFrame,
    cells_info: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, Any]] | None,
    columns: Sequence[str] | None = None,
    naming: Naming = PLAIN,
) -> list[Table]:
    """Every table there is something for: main, subjects, prompts, cost, settings, claims.

    `table` is the summary of `results`, empty without any; `verdicts` are the records of a run's
    verdicts.json. `columns` are the main table's (`reports.choice`). Raises UserError for a column
    or a method in `naming` that is not there.
    """
    known = [*labels(results)] if len(results) else []
    known += [*labels(costs)] if len(costs) else []
    known += [str(cell["method"]) for cell in cells_info]
    check_naming(naming, known)
    made = []
    if len(results):
        made.append(main_table(results, table, costs, columns, naming))
        made += subject_tables(results, table, naming)
        made += prompt_tables(results, table, naming)
    if len(costs):
        made.append(costs_in_cells(costs, naming))
    made = with_footnotes(made, cells_info)
    if any(cell["settings"] for cell in cells_info):
        made.append(settings_in_cells(cells_info, naming))
    if verdicts:
        made.append(claims_in_cells(verdicts))
    return made


def write_tables(
    results: pd.DataFrame,
    costs: pd.DataFrame,
    cells_info: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, Any]] | None,
    folder: Path,
    formats: Sequence[str],
    columns: Sequence[str] | None = None,
    naming: Naming | None = None,
) -> list[Path]:
    """Writes `table_NAME.tex`, `.md`, `.html`, `.csv` and `.json` as asked; returns their paths.

    Arguments as for `all_tables`; `formats` are names of `FORMATS`, UserError for others.
    """
    for name in formats:
        if name not in FORMATS:
            raise UserError(unknown("format", name, list(FORMATS)))
    table = summary(results) if len(results) else pd.DataFrame()
    shown = naming or PLAIN
    tables = all_tables(results, table, costs, cells_info, verdicts, columns, shown)
    return write_files(tables, folder, formats)


def write_files(tables: Sequence[Table], folder: Path, formats: Sequence[str]) -> list[Path]:
    """One file per table and format, all formats of a table together; returns their paths."""
    written = []
    for table in tables:
        for name in formats:
            ending, write = FORMATS[name]
            path = folder / f"table_{table.name}.{ending}"
            write_text(path, write(table))
            written.append(path)
    return written
