"""What `tbbench report` does, and how a run shows its outcome."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

import reports
from benchmark.collect import States, collect
from benchmark.commands.as_json import print_json
from benchmark.commands.report import BlindStudy, Request
from benchmark.errors import UserError
from benchmark.store import Run
from reports.naming import load_naming
from reports.shortfalls import one_coloured, shortfalls
from reports.study import Study, merge, open_study
from reports.tables import summary
from reports.text import rich_comparison

if TYPE_CHECKING:
    import pandas as pd

    from reports.page.material import Material

Cells = Sequence[Mapping[str, Any]]
"""Records of planned cells, as `Study.cell_info` gives them."""

# Pages, figures and matplotlib are imported by those who make some: a finished run shows its table
# without them.


def show(run: Run, states: States, console: Console, fresh: bool, as_json: bool = False) -> None:
    """Prints a run's comparison table and the path of its page, written anew where `fresh`.

    states: of its planned cells. as_json: all of it goes to standard output, for machines.
    """
    study = merge([run], [states])
    page = study.report_folder / "index.html"
    if fresh or not page.is_file():
        page = reports.render(study)
    if as_json:
        print_json(_outcome(study, study.results(), study.cell_info(), page))
        return
    console.print(rich_comparison(study.results()))
    _tell_notes(study, study.cell_info(), console)
    _tell(console, "report", page)


def write(request: Request, console: Console) -> None:
    """Does what is asked for. UserError for what cannot be reported so."""
    from reports.compare_runs import compare_with
    from reports.page.material import material_of
    from reports.write import write_report

    for option, folder in (("--out", request.out), ("--paper", request.paper)):
        if folder is not None and (folder / "config.toml").is_file():
            raise UserError(f"{folder} is a run's folder; give {option} another one")
    if request.watch:
        _watch(request, console)
        return
    study = open_study(request.runs)
    if request.study is not None:
        _blind_study(request.study, study, request.out, console)
        return
    if len(study.parts) == 1:
        collect(study.parts[0].run)
    folder = request.out or study.report_folder
    material = material_of(study)
    # Whatever may be refused comes first: a mistake leaves nothing behind.
    changes = None if request.base is None else compare_with(study, request.base)
    written = _tables(request, study, material, folder)
    if changes is not None:
        changes.write(folder)
        material = replace(
            material,
            changes=changes.page_table(),
            change_notes=(f"Since {changes.base}, paired by picture.", *changes.notes),
        )
    page = write_report(material, folder, request.embed)
    if request.as_json:
        outcome = _outcome(study, material.results, material.cells, page)
        outcome |= {"written": written, "changes": changes and changes.records()}
        print_json(outcome)
        return
    console.print(rich_comparison(material.results))
    _tell_notes(study, material.cells, console)
    if changes is not None:
        changes.show(console)
    for path in written:
        _tell(console, "written", path)
    _tell(console, "report", page)


def _blind_study(asked: BlindStudy, study: Study, out: Path | None, console: Console) -> None:
    from reports.ab_study.page import write_study

    beside = study.path if len(study.parts) == 1 else study.report_folder
    written = write_study(study, asked, out or beside / "blind-study")
    pairs = "1 pair" if written.pairs == 1 else f"{written.pairs} pairs"
    short = f", of {asked.pairs} asked for: there are no more" * (written.pairs < asked.pairs)
    console.print(f"{pairs} on {asked.question}{short}", markup=False, highlight=False)
    _tell(console, "for the raters", written.page)
    _tell(console, "keep to yourself", written.key)


def _tables(request: Request, study: Study, material: Material, folder: Path) -> list[Path]:
    """The tables of --format beside the page, and those and the figures of --paper."""
    from reports.export import write_tables

    naming = None if request.naming is None else load_naming(request.naming)
    about = (material.results, material.costs, material.cells, material.claims or None)
    written = []
    if request.formats:
        written += write_tables(*about, folder, request.formats, request.columns, naming)
    if request.paper is not None:
        from reports.frames import losses_along_training
        from reports.paper import write_paper

        losses = losses_along_training(material.cells, [part.run for part in study.parts])
        written += write_paper(*about, request.paper, request.columns, naming, losses)
    return written


def _watch(request: Request, console: Console) -> None:
    """Follows one run; says where its page is as soon as it is there."""
    from reports.watch import watch

    told: list[Path] = []
    if request.beside is not None:
        # A run in the background may have Ctrl-C ignored; its live page must hear it all the same.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def page(study: Study, refresh: int | None) -> Path:
        folder = request.out or study.report_folder
        made = reports.render(study, folder, embed=request.embed, refresh_seconds=refresh)
        if not told:
            _tell(console, "live page, until the run is done or Ctrl-C", made)
        told.append(made)
        return made

    last = watch(request.runs[0], page, request.beside)
    if last is not None:
        _tell(console, "report", last)


def _outcome(study: Study, results: pd.DataFrame, cells: Cells, page: Path) -> dict[str, Any]:
    """The comparison for machines: the summary's rows, and what is to be known of them."""
    return {
        "scores": [] if results.empty else summary(results).to_dict("records"),
        "notes": _notes(study, cells),
        "page": page,
    }


def _notes(study: Study, cells: Cells) -> list[str]:
    """What is to be known of a comparison: means that lack something, runs that do not compare."""
    return [*shortfalls(cells), *one_coloured(cells), *study.warnings]


def _tell_notes(study: Study, cells: Cells, console: Console) -> None:
    for sentence in _notes(study, cells):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _tell(console: Console, what: str, path: Path) -> None:
    console.print(f"{what}: {path}", markup=False, highlight=False, soft_wrap=True)
