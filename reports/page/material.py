"""What a page is about, as plain data: one run, or several that were merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmark.atomic import read_json
from benchmark.collect import stamp
from benchmark.errors import UserError
from reports.frames import losses_along_training

if TYPE_CHECKING:
    from benchmark.store import Run
    from reports.study import Study

PhotosOf = Callable[[str], Mapping[str, Sequence[Path]]]
ImageOf = Callable[[str, str, int], Path]
SumsOf = Callable[[str], Mapping[str, str]]


@dataclass(frozen=True)
class Source:
    """One run behind a page."""

    name: str
    environment: Mapping[str, Any]
    configuration: str
    """Its config.toml."""
    versions: Mapping[str, Any]


@dataclass(frozen=True)
class Material:
    """All that a page shows. Merged runs give one of these too.

    `results` and `cells` name a method by the same values in `reports.tables.IDENTITY`, so that a
    picture finds its scores.
    """

    title: str
    notes: tuple[str, ...]
    """What must be read before any number, such as that the toy world is no paper's world."""
    warnings: tuple[str, ...]
    results: pd.DataFrame
    """One row per image x metric x encoder (x reference), as in results.parquet."""
    costs: pd.DataFrame
    """One row per cell x stage x measure, as in costs.parquet."""
    cells: tuple[Mapping[str, Any], ...]
    """One record per planned cell, as `benchmark.store.Run.cell_info` gives them."""
    image: ImageOf
    """(key of a cell, prompt id, seed) -> the picture's file, which may be missing."""
    photos: PhotosOf
    """Subject -> files of its photos: `seen`, trained on, and `unseen`, held out."""
    sources: tuple[Source, ...]
    claims: tuple[Mapping[str, Any], ...] = ()
    """Records of verdicts.json, as `tbbench verify --json` prints them."""
    losses: pd.DataFrame | None = None
    """Losses along training, as `reports.frames.losses_along_training` gives them."""
    home: Path | None = None
    """The folder of the one run that all pictures lie in; None for several runs."""
    sums: SumsOf = lambda key: {}
    """Key of a cell -> name of a picture -> SHA-256 of its file when it was scored."""
    changes: pd.DataFrame | None = None
    """A table of texts: what changed against another run."""
    change_notes: tuple[str, ...] = ()
    """Which run that was, and what could not be compared."""


def material_of(run: Run | Study) -> Material:
    """The page's view of one run, or of several that were merged."""
    several = getattr(run, "parts", ())
    runs = [(part.name, part.run) for part in several] or [(run.config.name, run)]
    note = run.about.get("backbone_note")
    cells = tuple(run.cell_info())
    return Material(
        title=str(run.about.get("title") or run.config.title),
        notes=(f"Backbone: {note}",) if note else (),
        warnings=tuple(str(warning) for warning in run.about.get("warnings") or ()),
        results=run.results(),
        costs=run.costs(),
        cells=cells,
        image=run.image,
        photos=run.photos,
        sums=run.picture_sums,
        sources=tuple(_source(name, part) for name, part in runs),
        claims=tuple(claim for _, part in runs for claim in _claims(part)),
        losses=losses_along_training(cells, [part for _, part in runs]),
        home=runs[0][1].path if len(runs) == 1 else None,
    )


def _source(name: str, run: Run) -> Source:
    return Source(
        name=name,
        environment=run.environment,
        configuration=(run.path / "config.toml").read_text(encoding="utf-8"),
        versions=run.about.get("versions") or {},
    )


def _claims(run: Run) -> Iterator[Mapping[str, Any]]:
    """What was verified of a run, labelled where the run has changed since."""
    for record in read_claims(run.path):
        if record.get("stamp") in (None, stamp(run)):
            yield record
        else:
            label = ", ".join(filter(None, [record.get("label"), "older than the run"]))
            yield {**record, "label": label}


def read_claims(run: Path) -> tuple[Mapping[str, Any], ...]:
    """The records of a run's verdicts.json; none without the file. UserError for a damaged one."""
    path = run / "verdicts.json"
    if not path.exists():
        return ()
    content = read_json(path)
    whole = isinstance(content, list) and all(
        isinstance(record, dict) and isinstance(record.get("id"), str) for record in content
    )
    if not whole:
        raise UserError(
            f"{path} is damaged: expected the records of `tbbench verify`; "
            f"`tbbench verify {run}` writes it anew"
        )
    return tuple(content)
