"""Fills the template. All that a run holds is text here and never markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.cells import Table
from reports.fact_tables import claims_in_cells
from reports.inlined import asset, policy_hash
from reports.leads import Lead
from reports.page.drawings import Drawings
from reports.page.explained import explained
from reports.page.gallery import Gallery
from reports.page.grids import (
    configuration_changes,
    facts_grid,
    failed_grid,
    grid_of,
    log_tails,
    score_grid,
    text_grid,
    whole,
)
from reports.page.material import Material, Source
from reports.shortfalls import one_coloured, shortfalls
from reports.tables import CONTROLS, Column, columns, headline
from reports.verdicts import Check

SCRIPTS = ("start.js", "theme.js", "tables.js", "pictures.js", "gallery.js", "compare.js")
# Nothing may be fetched from a network or sent to one, and no script runs but this page's own.
POLICY = (
    "default-src 'none'; img-src 'self' data: file:; style-src '{style}'; script-src '{script}'; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Findings:
    """What the numbers of a page's material come to."""

    summary: pd.DataFrame
    in_short: str | None
    """The verdict in a plain sentence; None where there is nothing to rank."""
    said: tuple[str, ...]
    """The verdict, in two sentences; empty where there is nothing to rank."""
    details: tuple[str, ...]
    cautions: tuple[str, ...]
    """Of comparing methods, and of the headline's metrics."""
    metric_cautions: tuple[str, ...]
    """Of the metrics of all other scores."""
    checks: tuple[Check, ...]
    differences: pd.DataFrame
    """Texts, as are the two below."""
    costs: pd.DataFrame
    cost_numbers: pd.DataFrame
    settings: pd.DataFrame
    tables: tuple[Table, ...]
    """Scores by subject and by prompt."""
    cost_table: Table | None
    """What was measured beside what was predicted."""
    leads: Mapping[Column, Lead]
    drawings: Drawings


def html(
    material: Material,
    findings: Findings,
    gallery: Gallery | None,
    refresh_seconds: int | None = None,
) -> str:
    """The page. `refresh_seconds`: how often it loads itself again, for a run that goes on."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("reports.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = f"\n{asset('reports.page', 'page.css')}"
    script = "\n" + "\n".join(asset("reports.page", name) for name in SCRIPTS)
    page = templates.get_template("page.html.j2").render(
        _page(material, findings),
        gallery=gallery,
        refresh_seconds=refresh_seconds,
        style=style,
        script=script,
        policy=POLICY.format(style=policy_hash(style), script=policy_hash(script)),
    )
    return whole(page)


def _page(material: Material, findings: Findings) -> dict[str, Any]:
    cells, table = material.cells, findings.summary
    shown = headline(table) if len(table) else []
    failures = [cell for cell in cells if cell["status"] == "failed"]
    every = columns(table) if len(table) else []
    others = set(every) != set(shown)
    main = score_grid("main table", table, shown, findings.leads) if shown else None
    scores = score_grid("all scores", table, every, findings.leads) if others else None
    return {
        "title": material.title,
        "notes": material.notes,
        "warnings": (*material.warnings, *one_coloured(cells)),
        "shortfalls": shortfalls(cells),
        "facts": _facts(material),
        "unfinished": sum(cell["status"] == "pending" for cell in cells),
        "planned": len(cells),
        "failures": len(failures),
        "failed": failed_grid(failures),
        "log_tails": log_tails(failures),
        "findings": findings,
        "scored": len(table) > 0,
        "main": main,
        "main_explained": explained(main, table, shown, findings.leads) if main else [],
        "scores": scores,
        "scores_explained": explained(scores, table, every, findings.leads) if scores else [],
        "tables": [(made.caption, made.notes, grid_of(made)) for made in findings.tables],
        "differences": text_grid("differences from base", findings.differences),
        "change_notes": material.change_notes,
        "changes": None if material.changes is None else text_grid("changes", material.changes),
        "cost_table": None if findings.cost_table is None else grid_of(findings.cost_table),
        "costs": text_grid("cost", findings.costs, findings.cost_numbers),
        "settings": text_grid("settings", findings.settings),
        "claims": grid_of(claims_in_cells(material.claims)) if material.claims else None,
        "environment": facts_grid(
            "environment", {s.name: _environment(s) for s in material.sources}
        ),
        "configuration_changes": configuration_changes(material.sources),
        "configurations": [(source.name, source.configuration) for source in material.sources],
    }


def _environment(source: Source) -> Mapping[str, Any]:
    """What the numbers come from; the packages once."""
    known = source.environment
    return known if "packages" in known else {**known, **source.versions}


def _facts(material: Material) -> list[tuple[str, str]]:
    """What was run, as (figure, what it counts)."""
    cells = material.cells

    def counted(things: set[Any], noun: str) -> tuple[str, str]:
        return str(len(things)), noun if len(things) == 1 else f"{noun}s"

    def listed(name: str) -> str:
        return ", ".join(dict.fromkeys(str(cell[name]) for cell in cells))

    methods = {cell["method"] for cell in cells}
    return [
        *(
            [counted({source.name for source in material.sources}, "run")]
            if len(material.sources) > 1
            else []
        ),
        counted({(cell["dataset"], cell["subject"]) for cell in cells}, "subject"),
        counted(methods - set(CONTROLS), "method"),
        counted(methods & set(CONTROLS), "control"),
        counted({prompt for cell in cells for prompt in cell["prompts"]}, "prompt"),
        counted({seed for cell in cells for seed in cell["seeds"]}, "generation seed"),
        counted({cell["train_seed"] for cell in cells}, "training seed"),
        (listed("backbone"), "backbone"),
        (" / ".join((listed("dataset"), listed("split"))), "data set / split"),
        (listed("protocol"), "sampler / steps / guidance"),
    ]
