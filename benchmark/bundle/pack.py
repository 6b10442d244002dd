"""A run -> its evidence bundle."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmark.atomic import checksum, write_bytes
from benchmark.bundle.archive import (
    CELL_FILES,
    MANIFEST,
    PICTURES,
    PREDICTIONS,
    RECORDS,
    TABLE_FILES,
    known_name,
    zip_bytes,
)
from benchmark.bundle.statistics import statistics
from benchmark.claims.file import ClaimsFile
from benchmark.claims.judge import Named, judge_all
from benchmark.claims.study import study_of
from benchmark.collect import collect, stamp
from benchmark.environment_words import cautions
from benchmark.errors import UserError
from benchmark.records import seal_holds
from benchmark.store import Run

FORMAT = 1
THUMBNAIL = 96
"""Longest side of a small picture, in pixels."""


@dataclass(frozen=True)
class Packed:
    """A bundle as it was written."""

    path: Path
    digest: str
    """SHA-256 of the archive."""
    size: int
    pictures: int
    verdicts: int
    cautions: Sequence[str]
    """What must be known of where the numbers come from."""


def pack(
    run: Run,
    out: Path,
    claims: Sequence[ClaimsFile],
    through: Callable[[Sequence[Named]], Iterable[Named]] = iter,
) -> Packed:
    """Writes the bundle. UserError when nothing of the run is done, names clash, or cells began or
    ended meanwhile: tables and cells would be of different instants. `through`: see `judge_all`."""
    before = stamp(run)
    collect(run)
    if not any(run.folder(cell.key).done() for cell in run.planned):
        raise UserError(f"{run.path}: no cell is done, so there is no evidence to pack")
    _check_names(claims)
    for name in RECORDS:
        if not (run.path / name).is_file():
            raise UserError(f"{run.path / name} is missing; the run's command writes what can be")
    if seal_holds(run.path / "environment.json") is False:
        raise UserError(
            f"{run.path}/environment.json is not as it was written; `tbbench check {run.path} "
            "--repair` sets it aside, and the run's command says so in its place"
        )
    study = study_of(run, run.config.name)
    verdicts = [verdict.to_json() for verdict in judge_all(claims, [study], through)]
    pictures, thumbnails = _pictures(run)
    files: dict[str, bytes] = {name: (run.path / name).read_bytes() for name in TABLE_FILES}
    files |= {name: (run.path / name).read_bytes() for name in RECORDS if name != "plan.json"}
    files |= {
        # What planning looked up is left out: nothing could vouch for it.
        "plan.json": _json({"cells": [cell.to_json() for cell in run.planned], "resolved": {}}),
        "statistics.json": _json(statistics(study.results, study.costs)),
        "verdicts.json": _json(verdicts),
        PICTURES: _json(pictures),
    }
    if (run.path / PREDICTIONS).is_file():
        files[PREDICTIONS] = (run.path / PREDICTIONS).read_bytes()
    files |= {f"claims/{file.name}.toml": file.text.encode() for file in claims}
    for cell in run.planned:
        folder = run.folder(cell.key).path
        for name in CELL_FILES:
            if (folder / name).is_file():
                files[f"cells/{cell.key}/{name}"] = (folder / name).read_bytes()
    files |= thumbnails
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    if stamp(run) != before:
        raise UserError(
            f"{run.path}: cells were worked on meanwhile; bundle it again when the run has ended"
        )
    content = zip_bytes(files | {MANIFEST: _json({"format": FORMAT, "files": sums})})
    write_bytes(out, content)
    digest = hashlib.sha256(content).hexdigest()
    return Packed(
        out,
        digest,
        len(content),
        len(pictures),
        len(verdicts),
        cautions(study.name, study.environment),
    )


def _check_names(claims: Sequence[ClaimsFile]) -> None:
    names = [file.name for file in claims]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two claims files are called {name!r}; rename one")
        if not known_name(f"claims/{name}.toml"):
            raise UserError(f"claims file {name!r}: use letters, digits, '.', '_', '+' and '-'")


def _pictures(run: Run) -> tuple[dict[str, str], dict[str, bytes]]:
    """SHA-256 of the pictures of the cells that are done, and a small copy of each."""
    sums: dict[str, str] = {}
    small: dict[str, bytes] = {}
    for cell in run.planned:
        folder = run.folder(cell.key)
        if not folder.done():
            continue
        recorded = folder.recorded()
        for picture in sorted(folder.images.glob("*.png")):
            name = picture.relative_to(run.path).as_posix()
            sums[name] = checksum(picture)
            if recorded.get(f"images/{picture.name}", sums[name]) != sums[name]:
                raise UserError(
                    f"{picture} is not the picture that was scored; `tbbench check {run.path} "
                    "--repair` sets it aside, and the run's command makes it anew"
                )
            name = f"thumbnails/{cell.key}/{picture.stem}.jpg"
            if known_name(name):
                small[name] = _thumbnail(picture)
    return sums, small


def _thumbnail(picture: Path) -> bytes:
    content = io.BytesIO()
    with Image.open(picture) as opened:
        image = opened.convert("RGB")
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    image.save(content, "JPEG", quality=80)
    return content.getvalue()


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
