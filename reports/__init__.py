"""Results -> tables, figures and one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.store import Run


def render(run: Run, out: Path | None = None) -> Path:
    """Write the report of a run and return the path of its index.html.

    Writes into `out`, or `report/` inside the run: comparison, differences and costs as .csv and
    .md, settings.csv, fidelity-alignment as .svg and .png where both scores exist, and
    index.html, which needs no other file and no network.
    """
    from reports.write import write_report

    return write_report(run, out or run.path / "report")
