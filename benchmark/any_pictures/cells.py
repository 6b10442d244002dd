"""Cells of pictures that were made elsewhere: their keys, and the scoring of one."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.any_pictures.picture_files import open_picture
from benchmark.any_pictures.records import Batch, Target
from benchmark.atomic import digest, write_json, write_text
from benchmark.environment import identity
from benchmark.failures import kind_of, log_tail, redacted, writable
from benchmark.metrics import needs
from benchmark.pictures import (
    flags_of,
    of_one_colour,
    read_picture,
    thumbnail,
    thumbnail_name,
    write_picture,
)
from benchmark.plan import Cell, other_checksums
from benchmark.scoring import score_pictures
from benchmark.store import CellFolder, cell_folder
from benchmark.subjects import DATASET_NAMES, open_dataset

UNKNOWN = "unknown"
"""Stands where nothing is known of how pictures were made."""

Versions = tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str]]
"""Metrics, image encoders, text encoders: name -> version, as in `Cell`."""


@dataclass(frozen=True)
class Work:
    """A batch and the cell that it becomes."""

    cell: Cell
    batch: Batch
    checksums: Mapping[tuple[str, int], str]
    """(prompt id, seed) -> SHA-256 of the picture's file."""


def make_work(
    batches: Sequence[Batch], checksums: Mapping[Path, str], versions: Versions
) -> list[Work]:
    """The cell of every batch.

    The files' checksums are part of a cell's key, in the place of the code that made them: changed
    pictures are another cell. All cells of a subject name the same prompts and all cells the same
    seeds, those that any of them has.
    """
    seeds = sorted({seed for batch in batches for _, seed in batch.pictures})
    present: dict[str, set[str]] = {}
    for batch in batches:
        present.setdefault(batch.target.subject, set()).update(id for id, _ in batch.pictures)
    prompts: dict[str, dict[str, str]] = {}
    for batch in batches:
        mine = prompts.setdefault(batch.target.subject, {})
        for id, template in batch.target.prompts.items():
            if id in present[batch.target.subject]:
                mine.setdefault(id, template)
    needed = needs(versions[0])
    made = []
    for batch in batches:
        sums = {place: checksums[record.file] for place, record in batch.pictures.items()}
        shared = prompts[batch.target.subject]
        own = {id: batch.target.prompts.get(id, template) for id, template in shared.items()}
        code = digest({f"{id}-{seed}": sha for (id, seed), sha in sorted(sums.items())}, 16)
        cell = replace(
            _described(batch),
            prompts=own,
            seeds=seeds,
            metrics=dict(versions[0]),
            image_encoders=dict(versions[1]),
            text_encoders=dict(versions[2]),
            others=_others(batch.target) if "others" in needed else {},
            probes={},
        )
        known = f"{cell.code_version}+" if batch.target.cell else ""
        made.append(Work(replace(cell, code_version=f"{known}{code}"), batch, sums))
    return made


def _others(target: Target) -> dict[str, str]:
    """Photos of other subjects; none for pictures that bring their own single photo."""
    if target.dataset not in DATASET_NAMES:
        return {}
    return other_checksums(open_dataset(target.dataset), target.split, target.subject)


def _described(batch: Batch) -> Cell:
    """What is known of how the pictures were made: all of it for ours, nothing for others."""
    target = batch.target
    if target.cell is not None:
        # A protocol fixes metrics and encoders too, and these may be others now.
        return replace(target.cell, method=batch.method, protocol_name=None)
    return Cell(
        method=batch.method,
        preset=UNKNOWN,
        settings={"layout": batch.layout},
        code_version="",
        backbone=UNKNOWN,
        backbone_revision=UNKNOWN,
        dataset=target.dataset,
        split=target.split,
        subject=target.subject,
        class_noun=target.class_noun,
        descriptor=target.descriptor,
        live=target.live,
        seen=target.seen,
        unseen=target.unseen,
        train_seed=0,
        compute={},
        prior={},
        resolution=0,
        captions="",
        prompts={},
        seeds=[],
        steps=0,
        guidance_scale=0.0,
        sampler=UNKNOWN,
        metrics={},
        image_encoders={},
        text_encoders={},
        protocol_name=UNKNOWN,
    )


def score_cell(run: Path, work: Work, batch_size: int, made_with: Mapping[str, Any]) -> bool:
    """Copies and scores what is still missing of the cell, and says whether it is done.

    An error ends the cell, not the run: it is recorded in cell.json, its traceback in log.txt.
    made_with: the entry of environment.json that this process works under.
    """
    folder = cell_folder(run, work.cell.key)
    with folder.lock():
        if folder.done():
            return True
        folder.begin(work.cell)
        try:
            plain = _copy(folder, work)
            pictures = work.batch.pictures
            photos = work.batch.target.photos()
            device = str(made_with["device"])
            score_pictures(run, folder, work.cell, photos, batch_size, device, pictures)
        except Exception as error:
            write_text(folder.log, redacted(writable(traceback.format_exc())))
            folder.fail(work.cell, kind_of(error), str(error), "score", log_tail(folder.log))
            return False
        write_json(folder.path / "cost.json", [])  # nothing was made here, so nothing was measured
        folder.finish(work.cell, flags_of(plain), [identity(made_with)])
        return True


def _copy(folder: CellFolder, work: Work) -> list[str]:
    """The pictures as PNG, pixel for pixel; those that are there already are kept.

    Returns the files that are of one single colour.
    """
    plain = []
    for (id, seed), record in work.batch.pictures.items():
        path, expected = folder.image(id, seed), work.checksums[id, seed]
        image = read_picture(path, expected)
        if image is None:
            opened = open_picture(record.file)
            if opened.sha256 != expected:
                raise ValueError(f"{record.where} changed while it was scored; start again")
            image = opened.image
            write_picture(path, image, expected, {"file": record.where, "seed": str(seed)})
        if of_one_colour(image):
            plain.append(path.name)
    return plain


def write_reference_photos(run: Path, work: Iterable[Work]) -> None:
    """Small copies of every subject's photos, for the report. Keeps what is there."""
    for item in {item.cell.subject: item for item in work}.values():
        cell, folder = item.cell, run / "photos" / item.cell.subject
        wanted = {
            folder / thumbnail_name(kind, name): (name, sha256)
            for kind, photos in (("seen", cell.seen), ("unseen", cell.unseen))
            for name, sha256 in photos.items()
        }
        for path in set(folder.glob("*.png")) - set(wanted):
            path.unlink()
        lacking = {
            path: photo for path, photo in wanted.items() if read_picture(path, photo[1]) is None
        }
        if lacking:
            subject = item.batch.target.photos()
            for path, (name, sha256) in lacking.items():
                write_picture(path, thumbnail(subject.photo(name).load()), sha256, {})
