"""Results -> tables, figures and one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.store import Run
    from reports.study import Study


def render(
    run: Run | Study,
    out: Path | None = None,
    embed: bool = False,
    refresh_seconds: int | None = None,
) -> Path:
    """Write the report of a run, or of several that were merged; returns its index.html.

    Writes into `out`, or the run's own `report/`: comparison, differences and costs as .csv and
    .md, settings.csv, figures as .svg and .png, thumbnails/ with the pictures, and index.html,
    which needs nothing else and no network. With `embed` the pictures lie inside index.html, as
    many as fit. `refresh_seconds`: the page loads itself again that often.
    """
    from reports.page.material import material_of
    from reports.write import write_report

    folder = out or Path(getattr(run, "report_folder", run.path / "report"))
    return write_report(material_of(run), folder, embed, refresh_seconds)
