"""Whether one cell's folder holds what was recorded of it, and nothing else. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark.atomic import checksum, digest, files_under, read_json, read_record
from benchmark.errors import UserError
from benchmark.owner import PLACE
from benchmark.pictures import read_picture
from benchmark.plan import cell_key
from benchmark.records import read_versioned, seal_holds
from benchmark.store import ARTIFACT_FOLDERS, ARTIFACTS, CELL_VERSION, CellFolder

KEY = re.compile(r"[0-9a-f]{16}")
VERDICTS = ("whole", "not recorded", "pending", "failed", "running", "damaged")

Mend = Literal["move", "remove", "nothing"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written, or belongs nowhere."""

    file: str
    """Relative to the run's folder."""
    what: str
    mend: Mend = "nothing"
    """What a repair does with the file."""
    reopen: bool = False
    """Whether the cell must be worked on again."""
    cell: str | None = None
    also: tuple[str, ...] = ()
    """Files that are whole, but let the next run take this one for made; relative likewise."""


def check_cell(run: Path, key: str, elsewhere: bool, mine: bool = False) -> CellCheck:
    """What is found of the cell in `cells/KEY`.

    elsewhere: its pictures were made elsewhere, so that some may be missing and none is marked
    with a checkpoint. mine: this process owns the cell, which a live owner else makes `running`.
    """
    folder = CellFolder(run / "cells" / key)
    if not mine and folder.busy():
        return CellCheck("running", ())
    found = tuple(_findings(run, folder, elsewhere))
    record = read_record(folder.path / "cell.json")
    if any(finding.what.startswith(NOT_RECORDED) for finding in found) and len(found) == 1:
        return CellCheck("not recorded", found)
    if found:
        return CellCheck("damaged", found)
    status = record.get("status", "pending")
    return CellCheck("whole" if status == "done" else status, ())


@dataclass(frozen=True)
class CellCheck:
    """One of `VERDICTS`, and what was found."""

    verdict: str
    findings: tuple[Finding, ...]


NOT_RECORDED = "not recorded"


def _findings(run: Path, folder: CellFolder, elsewhere: bool) -> Iterator[Finding]:
    key, file = folder.path.name, folder.path / "cell.json"
    where = f"cells/{key}"

    def about(name: str, what: str, mend: Mend = "move", **more: Any) -> Finding:
        return Finding(f"{where}/{name}", what, mend, cell=key, **more)

    for name in files_under(folder.path):
        if _leftover(name):
            yield about(name, "left half written by a process that is gone", "remove")
    try:
        record = read_versioned(file, CELL_VERSION)
    except UserError as error:
        yield about("cell.json", str(error).partition("; ")[0], "nothing")
        return
    if file.is_file() and not record:
        yield about("cell.json", _damage(file))
    elif record and seal_holds(file) is False:
        yield about("cell.json", "not as it was written: its seal is of other content")
    stated = record.get("cell")
    if record and (record.get("key") != key or not _has_key(stated, key)):
        yield about("cell.json", "is of another cell: its key is not the hash of what it says")
    if record.get("status") == "done":
        yield from _done(folder, record, elsewhere, about)
    else:
        yield from _unfinished(folder, record, elsewhere, about)


def _done(folder: CellFolder, record: Mapping[str, Any], elsewhere: bool, about: Any) -> Any:
    sums: dict[str, str] = {**(record.get("outcome") or {}), **(record.get("artifacts") or {})}
    present = {name for name in files_under(folder.path) if _counts(name)}
    for name, recorded in sorted(sums.items()):
        file = folder.path / name
        also = (f"cells/{folder.path.name}/checkpoint.json",) if name == "losses.json" else ()
        if name not in present:
            yield about(name, "missing", "nothing", reopen=True, also=also)
        elif checksum(file) != recorded:
            yield about(name, _damage(file), reopen=True, also=also)
        elif _is_picture(name) and read_picture(file) is None:
            yield about(name, "recorded so, but no picture", reopen=True)
    if not elsewhere:
        for name in _pictures_of(record.get("cell")) - sums.keys() - present:
            yield about(name, "missing, and not recorded", "nothing", reopen=True)
    if record.get("artifacts") is not None:
        for name in sorted(present - sums.keys()):
            yield about(name, "belongs to no cell")
        return
    yield about("cell.json", f"{NOT_RECORDED}: from before checksums were", "nothing")
    yield from _unfinished(folder, record, elsewhere, about)


def _unfinished(folder: CellFolder, record: Mapping[str, Any], elsewhere: bool, about: Any) -> Any:
    """What can be told without recorded checksums: a later attempt takes up what is whole."""
    done = record.get("status") == "done"
    expected = _pictures_of(record.get("cell"))
    stated = read_record(folder.path / "checkpoint.json").get("files")
    origin = digest([folder.path.name, stated], 16)
    for name in files_under(folder.path):
        file = folder.path / name
        if not _counts(name):
            continue
        if not _known(name) or (expected and name.startswith("images/") and name not in expected):
            yield about(name, "belongs to no cell")
        elif _is_picture(name) and read_picture(file) is None:
            yield about(name, "no whole picture", reopen=done)
        elif done and not elsewhere and _is_picture(name) and read_picture(file, origin) is None:
            yield about(name, "made from another checkpoint", reopen=True)
        elif name.endswith(".json") and "/" not in name and _altered(file):
            yield about(name, _damage(file), reopen=done)
    if isinstance(stated, dict):
        for name, recorded in sorted(stated.items()):
            file = folder.checkpoint / name
            if not file.is_file():
                yield about(f"checkpoint/{name}", "missing", "nothing", reopen=done)
            elif checksum(file) != recorded:
                yield about(f"checkpoint/{name}", _damage(file), reopen=done)


def _has_key(stated: Any, key: str) -> bool:
    return isinstance(stated, dict) and cell_key(stated) == key


def _pictures_of(stated: Any) -> set[str]:
    """Names of the pictures that the cell should have; empty when it says nothing whole."""
    try:
        pairs = [(prompt, seed) for prompt in stated["prompts"] for seed in stated["seeds"]]
        return {f"images/{prompt}-{seed}.png" for prompt, seed in pairs}
    except (KeyError, TypeError):
        return set()


def _altered(file: Path) -> bool:
    return read_json(file) is None or seal_holds(file) is False


def _damage(file: Path) -> str:
    size = file.stat().st_size
    return "empty" if not size else f"damaged: its {size} bytes are not those that were written"


def _is_picture(name: str) -> bool:
    return name.endswith(".png") and name.split("/")[0] in ("images", "probes")


def _counts(name: str) -> bool:
    """Whether a file is one that is recorded, or should not be there."""
    return name not in ("cell.json", "log.txt") and not name.startswith(".") and "/." not in name


def _known(name: str) -> bool:
    return name in ARTIFACTS or name.split("/")[0] in ARTIFACT_FOLDERS


def _leftover(name: str) -> bool:
    """Private files of a writer. `.lock` is from an earlier version."""
    hidden = name.startswith(".") or "/." in name
    return hidden and name.split("/")[0] != PLACE and name != ".lock"
