"""A run's pictures as a Hugging Face dataset folder, which `datasets` reads as "imagefolder".

README.md         the dataset card
metadata.parquet  a row per picture: file_name, what it was made from, a column per score
images/KEY/       the pictures, numbered: no name of a user's becomes part of a path, and none can
                  hold a word such as "train", which `datasets` would take for a split
tables/           results.parquet and costs.parquet, with scores of whole sets, and costs
export.json       SHA-256 of every other file: what a later export may replace
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from benchmark.atomic import (
    checksum,
    checksums,
    files_under,
    json_text,
    new_folder,
)
from benchmark.collect import environment_of, frames, states, stored_frames
from benchmark.dataset_card import Contents, card
from benchmark.disk import MARGIN, free_bytes, size_text
from benchmark.environment_words import cautions, made_by
from benchmark.errors import UserError
from benchmark.plan import Cell
from benchmark.records import read_versioned, sealed
from benchmark.store import CellFolder, Run
from benchmark.subjects import Prompt
from benchmark.transfer import check_name

if TYPE_CHECKING:
    import pandas as pd

METADATA = "metadata.parquet"
README = "README.md"
MARK = "export.json"
VERSION = 1
"""Of export.json."""
PHOTO_METHODS = ("copy",)
"""Methods whose pictures are training photos, only cropped and made smaller."""
SCORE = ("metric", "reference", "encoder")
"""Columns of results.parquet that name a score together."""
DRAWN = "toyworld"
"""The data set whose photos are drawings of this project."""


@dataclass(frozen=True)
class Picture:
    """One picture of a cell that is done."""

    cell: Cell
    prompt_id: str
    seed: int
    source: Path
    name: str
    """Its path in the dataset folder."""


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    folder: Path
    contents: Contents
    bytes: int
    """Of all files together."""


def export(
    run: Run,
    out: Path,
    license: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Writes the dataset folder `out`: whole or not at all, also in place of an earlier export.

    license: identifier of the Hub for the card; None: see `benchmark.dataset_card.licence`.
    progress: called with (pictures copied, pictures in all). UserError when `out` holds anything
    that no export wrote, no picture can go in, a picture is not as it was made, the license is no
    identifier, or the disk is too small.
    """
    out = out.resolve()
    _refuse_other(run, out)
    known = states(run)
    done = [cell for cell in run.planned if known[cell.key]["status"] == "done"]
    held_back = [c for c in done if c.method in PHOTO_METHODS and c.dataset != DRAWN]
    pictures = [one for cell in done if cell not in held_back for one in _pictures(run, cell)]
    if not pictures:
        raise UserError(_nothing(run, len(done)))
    _refuse_small_disk(out, pictures)
    tables = stored_frames(run, known) or frames(run, known)
    rows = _metadata(run, pictures, tables["results"])
    statuses = [state["status"] for state in known.values()]
    made_with = environment_of(run, known)
    contents = Contents(
        run=run,
        rows=rows,
        cells={name: statuses.count(name) for name in ("done", "failed", "pending")},
        held_back=sum(len(cell.prompts) * len(cell.seeds) for cell in held_back),
        license=license,
        made_by=made_by(made_with),
        cautions=cautions(run.config.name, made_with),
    )
    text = card(contents)
    with new_folder(out) as fresh:
        sums = {}
        for number, picture in enumerate(pictures):
            progress(number, len(pictures))
            sums[picture.name] = _copy(picture, fresh)
        (fresh / METADATA).write_bytes(_parquet(rows))
        (fresh / "tables").mkdir()
        for name in ("results", "costs"):
            table = _without_paths(tables[name])
            (fresh / "tables" / f"{name}.parquet").write_bytes(_parquet(table))
        (fresh / README).write_text(text, encoding="utf-8")
        sums |= checksums(fresh, lambda name: name not in sums)
        mark = sealed({"version": VERSION, "files": dict(sorted(sums.items()))})
        (fresh / MARK).write_text(json_text(mark), encoding="utf-8")
        size = sum((fresh / name).stat().st_size for name in files_under(fresh))
    return Exported(out, contents, size)


def _refuse_other(run: Run, out: Path) -> None:
    """UserError unless `out` is new, empty, or an export that nobody has changed."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; give --out a new folder")
    if out.is_relative_to(run.path.resolve()):
        raise UserError(f"{out} lies in the run's own folder; give --out another place")
    if not out.is_dir() or not any(out.iterdir()):
        return
    files = read_versioned(out / MARK, VERSION).get("files")
    if not isinstance(files, dict):
        raise UserError(f"{out} is not empty and no export of a run; give --out a new folder")
    for name in files_under(out):
        if name == MARK:
            continue
        if name not in files:
            why = "was put there by somebody else"
        elif checksum(out / name) != files[name]:
            why = "was changed since the export"
        else:
            continue
        raise UserError(f"{out / name} {why}; move it away, or give --out a new folder")


def _pictures(run: Run, cell: Cell) -> Iterator[Picture]:
    """The cell's pictures by prompt and seed; UserError for a name that leaves its folder."""
    number = 0
    for prompt_id in cell.prompts:
        for seed in cell.seeds:
            source = run.image(cell.key, prompt_id, seed)
            try:
                check_name(f"images/{prompt_id}-{seed}.png")
            except ValueError as error:
                raise UserError(f"{run.path}/plan.json: {error}") from error
            yield Picture(cell, prompt_id, seed, source, f"images/{cell.key}/{number:04d}.png")
            number += 1


def _nothing(run: Run, done: int) -> str:
    if done:
        return (
            f"{run.path}: the only pictures are those of {', '.join(PHOTO_METHODS)}, which are "
            "training photos; run another method too"
        )
    return f"{run.path}: no cell is done yet; run it first, then export"


def _refuse_small_disk(out: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        if picture.source.is_symlink() or not picture.source.is_file():
            raise UserError(_damaged(picture, "is no file"))
    need = sum(picture.source.stat().st_size for picture in pictures) + MARGIN
    free = free_bytes(out)
    if free < need:
        raise UserError(
            f"{out}: {size_text(free)} free, and the export needs {size_text(need)}; free some "
            "space, or give --out a folder on another disk"
        )


def _copy(picture: Picture, fresh: Path) -> str:
    """Copies the picture; its SHA-256. UserError when that is not what cell.json recorded."""
    content = picture.source.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    recorded = CellFolder(picture.source.parent.parent).recorded()
    if recorded.get(f"images/{picture.source.name}", found) != found:
        raise UserError(_damaged(picture, "is not as it was made"))
    target = fresh / picture.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return found


def _damaged(picture: Picture, what: str) -> str:
    run = picture.source.parents[3]
    return (
        f"{picture.source} {what}; `tbbench check {run} --repair`, run what is missing there, and "
        "export again"
    )


def _metadata(run: Run, pictures: list[Picture], results: pd.DataFrame) -> pd.DataFrame:
    """A row per picture; scores of whole sets belong to none, and a missing score is missing."""
    import pandas as pd

    about = pd.DataFrame([_row(run, picture) for picture in pictures])
    scored = results[results["image"].isin(set(about["run_image"]))]
    wide = scored.assign(score=_score_names(scored)).pivot(
        index="image", columns="score", values="value"
    )
    return about.join(wide, on="run_image", validate="one_to_one")


def _row(run: Run, picture: Picture) -> Mapping[str, Any]:
    cell = picture.cell
    return {
        "file_name": picture.name,
        "method": cell.method,
        "preset": cell.preset,
        "backbone": public_name(cell.backbone),
        "dataset": cell.dataset,
        "photo_split": cell.split,
        "subject": cell.subject,
        "class_noun": cell.class_noun,
        "prompt_id": picture.prompt_id,
        "prompt": Prompt(picture.prompt_id, cell.prompts[picture.prompt_id]).text(cell.class_noun),
        "seed": picture.seed,
        "train_seed": cell.train_seed,
        "protocol": cell.protocol,
        "run_image": picture.source.relative_to(run.path).as_posix(),
    }


def _score_names(scored: pd.DataFrame) -> pd.Series[str]:
    """`fidelity/unseen/toy-clip`, or `alignment/toy-clip` for a score without a reference."""
    parts = [("/" + scored[name].astype("str")).where(scored[name].notna(), "") for name in SCORE]
    return (parts[0] + parts[1] + parts[2]).str.removeprefix("/")


def public_name(backbone: str) -> str:
    """The backbone's name; of a folder on the user's disk only the last part."""
    path = PurePath(backbone)
    return path.name if path.is_absolute() or backbone.startswith((".", "~")) else backbone


def _without_paths(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(backbone=table["backbone"].map(public_name).astype("str"))


def _parquet(frame: pd.DataFrame) -> bytes:
    """Texts are Arrow's `string`: early versions of `datasets` know no `large_string`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [
        pa.field(field.name, pa.string()) if pa.types.is_large_string(field.type) else field
        for field in table.schema
    ]
    content = io.BytesIO()
    pq.write_table(table.cast(pa.schema(fields, table.schema.metadata)), content)
    return content.getvalue()
