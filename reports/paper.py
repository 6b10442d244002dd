"""A folder for a paper: LaTeX tables, PDF figures, and a document that shows them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.atomic import write_bytes, write_text
from reports.cells import Table
from reports.export import all_tables, write_files
from reports.figure_set import figure_set
from reports.figures import pdf
from reports.latex import document
from reports.naming import PLAIN, Naming
from reports.tables import summary

NOT_MEASURED = "NOT MEASURED"
"""The verdict on a claim that nothing was found for."""


def write_paper(
    results: pd.DataFrame,
    costs: pd.DataFrame,
    cells_info: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, Any]] | None,
    folder: Path,
    columns: Sequence[str] | None = None,
    naming: Naming | None = None,
    losses: pd.DataFrame | None = None,
) -> list[Path]:
    """Writes `table_main.tex`, `table_cost.tex` and the others, `fig_NAME.pdf`, and `preview.tex`.

    Arguments as for `reports.export.all_tables`; `losses` as for `reports.figure_set`. Figures
    are those of `reports.figure_set`. Returns the paths, tables first, `preview.tex` last; the
    preview compiles alone and shows every table and figure. Claims that are NOT MEASURED are
    counted below the table of the others.
    """
    table = summary(results) if len(results) else pd.DataFrame()
    shown = naming or PLAIN
    judged = [one for one in verdicts or () if one.get("verdict") != NOT_MEASURED]
    made = all_tables(results, table, costs, cells_info, judged, columns, shown)
    if judged and (unjudged := len(verdicts or ()) - len(judged)):
        made[-1] = _without(made[-1], unjudged)
    tables = write_files(made, folder, ["latex"])
    drawn = figure_set(results, table, costs, shown, losses)
    figures = []
    for name, figure in drawn.items():
        path = folder / f"fig_{name}.pdf"
        write_bytes(path, pdf(figure))
        figures.append(path)
    preview = folder / "preview.tex"
    names = [[path.name for path in paths] for paths in (tables, figures)]
    write_text(preview, document(*names))
    return [*tables, *figures, preview]


def _without(claims: Table, unjudged: int) -> Table:
    left_out = (
        f"Not shown: {unjudged} more that are {NOT_MEASURED}, as the run holds nothing to judge "
        "them by. The report's page and tbbench verify have all."
    )
    return replace(claims, notes=(*claims.notes, left_out))
