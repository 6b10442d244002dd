"""Is a bundle what it says? Checksums first, then everything that follows is computed again.

What is changed and not signed anew shows in the checksums. What is changed together with its
checksum shows in the computation: tables against raw rows, statistics and verdicts against tables,
cells against the keys that hash them, configuration against cells. What follows from nothing else
(`ONLY_DIGEST`) is vouched for by the digest of the archive alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.atomic import read_record
from benchmark.bundle import differ
from benchmark.bundle.archive import (
    DERIVED,
    MANIFEST,
    PICTURES,
    PREDICTIONS,
    RECORDS,
    TABLE_FILES,
    read_zip,
)
from benchmark.bundle.plan_check import plan_differences
from benchmark.bundle.statistics import statistics
from benchmark.claims.file import ClaimsFile, load_claims, parse_claims, shipped_names
from benchmark.claims.judge import judge_all
from benchmark.claims.study import Study, study_of
from benchmark.collect import collect
from benchmark.errors import UserError
from benchmark.estimate.planned import contradictions, read_trainings
from benchmark.records import seal_holds
from benchmark.store import Run

ONLY_DIGEST = (
    *("environment.json", "run.json", "thumbnails/"),
    "batch sizes and [execution] of config.toml",
    "checksums in checkpoint.json",
    "what predictions.json holds beside its sums",
)
PREDICTED = {"version", "note", "trainings"}
"""What predictions.json holds."""
MOST_LINES = 40


@dataclass(frozen=True)
class Checked:
    """A bundle after its examination."""

    study: Study
    """Made from the raw rows, not from the bundle's tables."""
    claims: tuple[ClaimsFile, ...]
    differences: tuple[str, ...]
    """What is not as it says, a line each, at most `MOST_LINES` and a count of the others."""


def check_bundle(path: Path, digest: str | None = None) -> Checked:
    """UserError when the archive is damaged, unsafe, or lacks what nothing works without."""
    files = read_zip(path)
    differences = [*_digest(path, digest), *checksum_differences(files)]
    try:
        missing = [name for name in (*RECORDS, *TABLE_FILES, *DERIVED) if name not in files]
        if missing:
            raise UserError(f"{missing[0]} is missing")
        with tempfile.TemporaryDirectory() as scratch:
            run = _unpacked(files, Path(scratch))
            collect(run)
            study = study_of(run, run.config.name)
            claims = _claims(files)
            differences += plan_differences(run, files)
            differences += _predictions(run)
            differences += _tables(files, run)
            differences += _pictures(files, study)
            differences += _derived(files, study, claims)
    except Exception as error:
        # A changed byte can break anything that reads it: the checksums say which file it was.
        said = differences[0] if differences else " ".join(str(error).split())
        raise UserError(f"{path} is no whole bundle: {said}") from error
    return Checked(study, claims, _few(differences))


def _few(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - MOST_LINES
    return tuple(lines[:MOST_LINES]) + ((f"and {more} more",) if more > 0 else ())


def _digest(path: Path, digest: str | None) -> Iterator[str]:
    if digest is None:
        return
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest.strip().lower():
        yield f"the file's SHA-256 is {found}, not {digest}"


def checksum_differences(files: Mapping[str, bytes]) -> Iterator[str]:
    """Files whose bytes are not those that bundle.json lists, and those it does not list."""
    try:
        manifest = json.loads(files[MANIFEST])
        stated = dict(manifest["files"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{MANIFEST} is missing or damaged; this is no evidence bundle") from None
    if manifest.get("format") != 1:
        yield f"{MANIFEST}: format is {manifest.get('format')!r}, and this version knows 1"
    for name in sorted({*stated, *files} - {MANIFEST}):
        if name not in files:
            yield f"{name} is missing"
        elif name not in stated:
            yield f"{name} is not listed in {MANIFEST}"
        elif hashlib.sha256(files[name]).hexdigest() != stated[name]:
            yield f"{name} is not the file that was packed: another SHA-256"


def _unpacked(files: Mapping[str, bytes], folder: Path) -> Run:
    """The raw part of the bundle as a run's folder. Names were checked when it was read."""
    for name, content in files.items():
        if name in RECORDS or name == PREDICTIONS or name.startswith("cells/"):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return Run.open(folder)


def _claims(files: Mapping[str, bytes]) -> tuple[ClaimsFile, ...]:
    names = sorted(name for name in files if name.startswith("claims/"))
    return tuple(parse_claims(files[name].decode(), Path(name).stem) for name in names)


def _tables(files: Mapping[str, bytes], run: Run) -> Iterator[str]:
    """The three tables against those that the raw rows give."""
    import pandas as pd

    for name in TABLE_FILES:
        found = pd.read_parquet(run.path / name)
        stated = pd.read_parquet(io.BytesIO(files[name]))
        for line in differ.frames(stated, found):
            yield f"{name}: {line}"


def _predictions(run: Run) -> Iterator[str]:
    """Predictions against themselves; that each is its cells' own shows in the tables."""
    for name in sorted(read_record(run.path / PREDICTIONS).keys() - PREDICTED):
        yield f"{PREDICTIONS}: {name} does not belong there"
    if seal_holds(run.path / PREDICTIONS) is False:
        yield f"{PREDICTIONS}: its seal is another record's"
    for line in contradictions(read_trainings(run.path)):
        yield f"{PREDICTIONS}: {line}"


def _pictures(files: Mapping[str, bytes], study: Study) -> Iterator[str]:
    """Scored pictures have a checksum, their cell's, and small pictures are of one that has."""
    listed = json.loads(files[PICTURES])
    for picture in sorted(set(study.results["image"].dropna()) - set(listed)):
        yield f"{PICTURES}: {picture} was scored and has no checksum"
    for picture, checksum in listed.items():
        folder, _, name = picture.partition("/images/")
        recorded = json.loads(files[f"{folder}/cell.json"]).get("artifacts") or {}
        if recorded.get(f"images/{name}", checksum) != checksum:
            yield f"{PICTURES}: {picture} is not the picture that was scored"
    for name in sorted(name for name in files if name.startswith("thumbnails/")):
        _, key, file = name.split("/")
        if f"cells/{key}/images/{file.removesuffix('.jpg')}.png" not in listed:
            yield f"{name} is of no picture in {PICTURES}"


def _derived(
    files: Mapping[str, bytes], study: Study, claims: tuple[ClaimsFile, ...]
) -> Iterator[str]:
    """Statistics and verdicts against those computed again; shipped claims against ours."""
    for file in claims:
        if file.name in shipped_names() and file.text != load_claims(file.name).text:
            yield f"claims/{file.name}.toml is not the file of that name in this installation"
    computed: dict[str, Any] = {
        "statistics.json": statistics(study.results, study.costs),
        "verdicts.json": [verdict.to_json() for verdict in judge_all(claims, [study])],
    }
    for name, found in computed.items():
        stated = json.loads(files[name])
        for line in differ.values(stated, json.loads(json.dumps(found))):
            yield f"{name}: {line}"
