"""Repairs a run directory so that the next `tbbench run` makes anew what was damaged, and no more.

Nothing is deleted but what a process that is gone left half written: all else that does not match
goes to RUN/quarantine, under the path it had. A cell is only touched by its owner, which this
process becomes for the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.any_pictures.result import KIND
from benchmark.atomic import checksum, json_text, read_json, read_record, write_bytes
from benchmark.cell_integrity import Finding, check_cell
from benchmark.integrity import Checked
from benchmark.owner import FolderTakenError
from benchmark.records import sealed
from benchmark.store import QUARANTINE, CellFolder, cell_folder

TRAINED = ("load", "prepare", "train", "save")
"""The stages whose costs checkpoint.json keeps."""


@dataclass(frozen=True)
class Mended:
    """A finding and what was done about it."""

    finding: Finding
    done: str


def repair(run: Path, checked: Checked) -> list[Mended]:
    """Mends what `check_run` found. OSError when the folder cannot be written."""
    busy = "running" in checked.cells.values()
    mended = []
    for finding in checked.findings:
        if finding.cell is None:
            done = "left alone while cells are worked on" if busy else _mend(run, finding)
            mended.append(Mended(finding, done))
    for key in dict.fromkeys(f.cell for f in checked.findings if f.cell is not None):
        mended += _repair_cell(run, key, [f for f in checked.findings if f.cell == key])
    return mended


def _repair_cell(run: Path, key: str, findings: list[Finding]) -> list[Mended]:
    folder = cell_folder(run, key)
    try:
        with folder.lock(wait=False):
            # Whoever had the cell a moment ago may have mended it.
            elsewhere = read_record(run / "run.json").get("kind") == KIND
            found = check_cell(run, key, elsewhere, mine=True).findings
            restored = [f for f in found if _restore(folder, f)]
            rest = [f for f in found if f not in restored]
            mended = [Mended(f, "written again from what the cell keeps twice") for f in restored]
            mended += [Mended(f, _mend(run, f)) for f in rest]
            if any(finding.reopen for finding in rest):
                folder.reopen()
            return mended
    except FolderTakenError:
        return [Mended(finding, "left alone: the cell is worked on") for finding in findings]


def _mend(run: Path, finding: Finding) -> str:
    for name in finding.also:
        if (run / name).exists():
            _set_aside(run, name)
    file = run / finding.file
    if finding.mend == "remove":
        file.unlink(missing_ok=True)
        return "removed"
    if finding.mend == "move" and (file.exists() or file.is_symlink()):
        return f"moved to {_set_aside(run, finding.file)}"
    return "made again by the next run" if finding.reopen else "left as it is"


def _set_aside(run: Path, name: str) -> str:
    """Moves the file or folder below the quarantine; never onto what is there already."""
    target = run / QUARANTINE / name
    number = 1
    while target.exists() or target.is_symlink():
        number += 1
        target = (run / QUARANTINE / name).with_name(f"{Path(name).name}.{number}")
    target.parent.mkdir(parents=True, exist_ok=True)
    (run / name).rename(target)
    return target.relative_to(run).as_posix()


def _restore(folder: CellFolder, finding: Finding) -> bool:
    """Writes checkpoint.json again, byte for byte, where the rest of the cell says all of it.

    Its checksums are in cell.json and its costs in cost.json, so that no training is repeated for
    a lost list.
    """
    file = folder.path / "checkpoint.json"
    record = read_record(folder.path / "cell.json")
    sums: Mapping[str, Any] = record.get("artifacts") or {}
    costs = folder.path / "cost.json"
    recorded = (record.get("outcome") or {}).get(costs.name)
    if not finding.file.endswith(f"{folder.path.name}/{file.name}") or not costs.is_file():
        return False
    if file.name not in sums or checksum(costs) != recorded:
        return False
    place = f"{folder.checkpoint.name}/"
    content = {
        "key": folder.path.name,
        "files": {k.removeprefix(place): v for k, v in sums.items() if k.startswith(place)},
        "costs": [cost for cost in read_json(costs) if cost["stage"] in TRAINED],
    }
    for environment in [*(record.get("environments") or []), None]:
        text = json_text(sealed(content | {"environment": environment})).encode()
        if hashlib.sha256(text).hexdigest() == sums[file.name]:
            break
    else:  # it would not be the very file
        return False
    if file.is_file():
        run = folder.path.parent.parent
        _set_aside(run, file.relative_to(run).as_posix())
    write_bytes(file, text)
    return True
