"""One self-contained HTML page. `build` reads the run, `html` fills the template."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports import format as show
from reports.costs import cost_text
from reports.figures import mark
from reports.gallery import EXACT_SIDE, Exhibit, Picture, Row, data_uri, evenly, picture, select
from reports.tables import CONTROLS, KINDS, best, columns, labels, values
from reports.text import differences_text
from reports.verdicts import cautions, control_checks, verdicts

if TYPE_CHECKING:
    from benchmark.store import Run


@dataclass(frozen=True)
class Contents:
    """The frames that a report is made of."""

    summary: pd.DataFrame
    differences: pd.DataFrame
    costs: pd.DataFrame
    settings: pd.DataFrame
    scatter: dict[str, bytes]
    """SVG of the fidelity-alignment figure by shade, `light` and `dark`; empty without one."""
    ranks: dict[str, bytes]
    """The same of the critical-difference figure."""


def html(run: Run, contents: Contents) -> str:
    """The page of a run."""
    from jinja2 import Environment, StrictUndefined

    template = (resources.files("reports") / "templates" / "page.html.j2").read_text("utf-8")
    # Whatever comes from a run, such as an error message or a name, is text and never markup.
    page = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(template)
    return page.render(_page(run, contents))


def _page(run: Run, contents: Contents) -> dict[str, Any]:
    cells = run.cell_info()
    table = contents.summary
    return {
        "title": run.about.get("title") or run.config.title,
        "note": run.about.get("backbone_note", ""),
        "warnings": list(run.about.get("warnings") or []),
        "facts": _facts(run, cells),
        "unfinished": sum(cell["status"] == "pending" for cell in cells),
        "planned": len(cells),
        "failures": [cell for cell in cells if cell["status"] == "failed"],
        "verdicts": verdicts(table, contents.differences) if len(table) else [],
        "cautions": cautions(table) if len(table) else [],
        "checks": control_checks(table) if len(table) else [],
        "comparison": _comparison(table) if len(table) else None,
        "differences": _rows(differences_text(contents.differences)),
        "ranks": {
            shade: data_uri(content, "image/svg+xml") for shade, content in contents.ranks.items()
        },
        "figure": {
            shade: data_uri(content, "image/svg+xml") for shade, content in contents.scatter.items()
        },
        "gallery": _gallery(run, cells, table),
        "costs": _rows(cost_text(contents.costs)) if len(contents.costs) else None,
        "settings": _rows(contents.settings.fillna(show.MISSING)),
        "environment": list(_flat(run.environment)),
        "configuration": (run.path / "config.toml").read_text(encoding="utf-8"),
        "versions": list(_flat(run.about.get("versions") or {})),
    }


def _facts(run: Run, cells: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What was run, as (figure, what it counts)."""

    def counted(n: int, noun: str) -> tuple[str, str]:
        return str(n), noun if n == 1 else f"{noun}s"

    methods = {cell["method"] for cell in cells}
    prompts = {prompt for cell in cells for prompt in cell["prompts"]}
    return [
        counted(len({(cell["dataset"], cell["subject"]) for cell in cells}), "subject"),
        counted(len(methods - set(CONTROLS)), "method"),
        counted(len(methods & set(CONTROLS)), "control"),
        counted(len(prompts), "prompt"),
        counted(len(run.config.generation.seeds), "generation seed"),
        counted(len(run.config.train_seeds), "training seed"),
        (run.config.backbone, "backbone"),
        (f"{run.config.dataset} / {run.config.split}", "data set / split"),
        (cells[0]["protocol"] if cells else "", "sampler / steps / guidance"),
    ]


def _comparison(table: pd.DataFrame) -> dict[str, Any]:
    """The comparison for the template: columns, and blocks of rows by kind."""
    shown = columns(table)
    found = {column: values(table, column) for column in shown}
    winners = {column: best(table, column) for column in shown}
    blocks = []
    for kind in KINDS:
        rows = []
        for row in _rows_of_kind(table, kind):
            label = row["label"]
            cells = []
            for column in shown:
                score = found[column].get(label)
                cells.append(
                    {
                        "value": show.number(score.mean) if score else show.MISSING,
                        "interval": show.short_interval(score.low, score.high, 3) if score else "",
                        "best": label in winners[column],
                    }
                )
            rows.append(
                {
                    "label": label,
                    "colour": None if kind == "real photos" else mark(str(row["method"])).colour,
                    "subjects": row["subjects"],
                    "images": show.MISSING if pd.isna(row["images"]) else int(row["images"]),
                    "cells": cells,
                }
            )
        if rows:
            blocks.append({"kind": kind, "rows": rows})
    return {"columns": shown, "blocks": blocks}


def _rows_of_kind(table: pd.DataFrame, kind: str) -> list[dict[Hashable, Any]]:
    """The first row of each method of a kind, with the most subjects that any column has."""
    rows = table[table["kind"] == kind]
    most = rows.groupby("label")["subjects"].transform("max")
    return rows.assign(subjects=most).drop_duplicates("label").to_dict("records")


def _gallery(run: Run, cells: list[dict[str, Any]], table: pd.DataFrame) -> dict[str, Any] | None:
    """Pictures of every subject, as many prompts and seeds as a page can carry."""
    done = [cell for cell in cells if cell["status"] == "done"]
    if not done:
        return None
    train_seed = min(cell["train_seed"] for cell in done)
    shown = [cell for cell in done if cell["train_seed"] == train_seed]
    named = dict(zip((cell["key"] for cell in cells), labels(pd.DataFrame(cells)), strict=True))
    ranked = list(table["label"].unique()) if len(table) else []
    subjects = list(dict.fromkeys(cell["subject"] for cell in shown))
    prompts = max(len(cell["prompts"]) for cell in shown)
    seeds = list(shown[0]["seeds"])
    fits = select(len(subjects), len({named[cell["key"]] for cell in shown}), prompts, len(seeds))
    exhibits = []
    for subject in subjects:
        mine = [cell for cell in shown if cell["subject"] == subject]
        mine.sort(key=lambda cell: _place(named[cell["key"]], ranked))
        chosen = evenly(list(mine[0]["prompts"]), fits.prompts)
        noun = str(mine[0]["class_noun"])
        rows = tuple(
            Row(
                label=named[cell["key"]],
                kind="control" if cell["method"] in CONTROLS else "method",
                pictures=tuple(
                    tuple(
                        picture(
                            run.image(cell["key"], prompt, seed),
                            f"{named[cell['key']]}: "
                            f"{_text(cell['prompts'][prompt], noun)}, seed {seed}",
                        )
                        for seed in seeds[: fits.seeds]
                    )
                    for prompt in chosen
                ),
            )
            for cell in mine
        )
        exhibits.append(
            Exhibit(
                subject=subject,
                class_noun=noun,
                seen=_photos(run, subject, "seen", "training photo"),
                unseen=_photos(run, subject, "unseen", "held-out photo"),
                prompts=tuple(_text(mine[0]["prompts"][prompt], noun) for prompt in chosen),
                rows=rows,
            )
        )
    return {
        "exhibits": exhibits,
        "left_out": _left_out(fits.prompts, prompts, fits.seeds, len(seeds)),
        "train_seed": train_seed if len(run.config.train_seeds) > 1 else None,
        "side": EXACT_SIDE,
    }


def _left_out(prompts: int, all_prompts: int, seeds: int, all_seeds: int) -> str:
    """Says what of the run's pictures is not on the page; empty when all are."""
    parts = []
    if prompts < all_prompts:
        parts.append(f"{prompts} of {all_prompts} prompts")
    if seeds < all_seeds:
        parts.append(f"{seeds} of {all_seeds} seeds")
    return " and ".join(parts)


def _place(label: str, ranked: list[str]) -> tuple[int, str]:
    return (ranked.index(label) if label in ranked else len(ranked), label)


def _text(template: str, class_noun: str) -> str:
    return template.replace("{subject}", class_noun)


def _photos(run: Run, subject: str, kind: str, what: str) -> tuple[Picture, ...]:
    found = [picture(path, f"{what} of {subject}") for path in run.photos(subject)[kind]]
    return tuple(photo for photo in found if photo is not None)


def _rows(frame: pd.DataFrame) -> dict[str, Any] | None:
    """A frame of texts for the template; None when it is empty."""
    if frame.empty:
        return None
    return {"columns": list(frame.columns), "rows": frame.to_numpy().tolist()}


def _flat(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as (name, text) lines; what is not known says so."""
    lines: list[tuple[str, str]] = []
    for name, value in content.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{name} · ")
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            for number, item in enumerate(value):
                lines += _flat(item, f"{prefix}{name} {number} · ")
        elif name.endswith("_bytes") and isinstance(value, int | float):
            lines.append((f"{prefix}{name.removesuffix('_bytes')}", show.size(value)))
        else:
            lines.append((f"{prefix}{name}", "none" if value in (None, [], "") else str(value)))
    return lines
