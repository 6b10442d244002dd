"""Whether a run directory holds what was written into it: every record, cell, table and thumbnail.

Reads only, so that a running directory can be checked as well: cells that a live process owns are
named and left out, and what looks wrong is looked at twice, because it may have been half way.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.any_pictures.result import KIND
from benchmark.atomic import checksum, files_under, read_record
from benchmark.cell_integrity import KEY, CellCheck, Finding, check_cell
from benchmark.collect import STAMP, frames, stamp, states
from benchmark.config import parse_config
from benchmark.environment_record import LOST
from benchmark.errors import UserError
from benchmark.estimate.planned import FILE as PREDICTIONS
from benchmark.estimate.planned import VERSION as PREDICTIONS_VERSION
from benchmark.estimate.planned import contradictions, read_trainings
from benchmark.pictures import read_picture, thumbnail_name
from benchmark.plan import Cell
from benchmark.plan_file import FILE as PLAN
from benchmark.plan_file import plan_seal_holds, read_cells
from benchmark.records import read_versioned, seal_holds
from benchmark.store import RUN_VERSION, TABLES, Run

if TYPE_CHECKING:
    import pandas as pd

LEFTOVER = re.compile(r"\..+\.[a-z0-9_]{8}")
"""How `benchmark.atomic` names what it has not finished writing."""


@dataclass(frozen=True)
class Checked:
    """What was found, by file, and the verdict on every cell."""

    cells: Mapping[str, str]
    """Key -> one of `cell_integrity.VERDICTS`."""
    findings: tuple[Finding, ...]

    @property
    def whole(self) -> bool:
        """Nothing was found; cells that run, wait or failed count as what they are."""
        return not self.findings


def check_run(run: Path) -> Checked:
    """Checks the folder. UserError when it holds no run, damaged or not."""
    if not any((run / name).exists() for name in ("config.toml", PLAN, "run.json", "cells")):
        raise UserError(f"{run} holds no run; give the folder that `tbbench run` printed")
    elsewhere = read_record(run / "run.json").get("kind") == KIND
    planned = _planned(run)
    verdicts: dict[str, str] = {}
    findings = [*_twice(lambda: [*_records(run), *_photos(run, planned)])]
    for name in sorted({entry.name for entry in _entries(run / "cells")}):
        if not KEY.fullmatch(name) or not (run / "cells" / name).is_dir():
            findings.append(Finding(f"cells/{name}", "is no cell", "move"))
            continue
        checked = check_cell(run, name, elsewhere)
        if checked.findings:
            again = check_cell(run, name, elsewhere)
            kept = tuple(f for f in checked.findings if f in again.findings)
            checked = CellCheck(again.verdict, kept if again.verdict != "running" else ())
        verdicts[name] = checked.verdict
        findings += checked.findings
    for cell in planned:
        verdicts.setdefault(cell.key, "pending")
    if not {"damaged", "running"} & {*verdicts.values()}:
        findings += _twice(lambda: [*_tables(run)])
    return Checked(verdicts, tuple(findings))


def _twice(look: Callable[[], Sequence[Finding]]) -> list[Finding]:
    """What is found both times: another process may be between two files."""
    found = look()
    return [finding for finding in found if finding in look()] if found else []


def _planned(run: Path) -> tuple[Cell, ...]:
    try:
        return read_cells(run)
    except UserError:
        return ()


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _records(run: Path) -> Iterator[Finding]:
    """config.toml, plan.json, run.json, environment.json, predictions.json and leftovers."""
    for entry in _entries(run):
        if LEFTOVER.fullmatch(entry.name) and entry.is_file():
            yield Finding(entry.name, "left half written by a process that is gone", "remove")
    yield from _config(run)
    if not (run / PLAN).is_file():
        yield Finding(PLAN, "missing")
    else:
        yield from _sealed(run, PLAN, plan_seal_holds(run), lambda: read_cells(run))
    for name, version in (("run.json", RUN_VERSION), (PREDICTIONS, PREDICTIONS_VERSION)):
        if (run / name).is_file():
            read = _reader(run / name, version)
            yield from _sealed(run, name, seal_holds(run / name), read)
        elif name == "run.json":
            yield Finding(name, "missing")
    name = "environment.json"
    if (run / name).is_file():
        yield from _sealed(run, name, seal_holds(run / name), lambda: None)
        if read_record(run / name).get(LOST):
            told = "was damaged or lost once: what earlier cells ran on is not known any more"
            yield Finding(name, told, "nothing")
    elif any(read_record(entry / "cell.json").get("attempts") for entry in _entries(run / "cells")):
        yield Finding(name, "missing: what the cells ran on is not known any more")


def _reader(file: Path, version: int) -> Callable[[], Any]:
    return lambda: read_versioned(file, version)


def _config(run: Path) -> Iterator[Finding]:
    file, name = run / "config.toml", "config.toml"
    if not file.is_file():
        yield Finding(name, "missing")
        return
    content = file.read_bytes()
    recorded = read_record(run / "run.json").get("config")
    if recorded is not None and hashlib.sha256(content).hexdigest() != recorded:
        yield Finding(name, "not the file that run.json was written for", "move")
        return
    try:
        parse_config(content.decode(), name)
    except (UserError, UnicodeDecodeError) as error:
        yield Finding(name, f"not readable: {error}", "move")


def _sealed(run: Path, name: str, holds: bool | None, read: Callable[[], Any]) -> Iterator[Finding]:
    """A record's seal; then whether it can be read and agrees with itself."""
    if holds is False:
        yield Finding(name, "not as it was written: its seal is of other content", "move")
        return
    if holds is None and not read_record(run / name):
        yield Finding(name, "damaged: no record can be read", "move")
        return
    try:
        read()
    except UserError as error:
        newer = "newer" in str(error)
        yield Finding(name, str(error).partition("; ")[0], "nothing" if newer else "move")
        return
    if name == PREDICTIONS and (lines := [*contradictions(read_trainings(run))]):
        yield Finding(name, f"contradicts itself: {lines[0]}", "move")


def _photos(run: Path, planned: Sequence[Cell]) -> Iterator[Finding]:
    """The photos' small copies, which carry their photo's checksum."""
    for cell in {cell.subject: cell for cell in planned}.values():
        place = f"photos/{cell.subject}"
        wanted = {
            thumbnail_name(kind, name): sha256
            for kind, photos in (("seen", cell.seen), ("unseen", cell.unseen))
            for name, sha256 in photos.items()
        }
        present = files_under(run / place)
        for name, sha256 in wanted.items():
            if name not in present:
                yield Finding(f"{place}/{name}", "missing")
            elif read_picture(run / place / name, sha256) is None:
                yield Finding(f"{place}/{name}", "no whole copy of its photo", "move")
        for name in sorted({*present} - wanted.keys()):
            private = Path(name).name.startswith(".")
            yield Finding(f"{place}/{name}", "belongs to no photo", "remove" if private else "move")


def _tables(run: Path) -> Iterator[Finding]:
    """The collected tables against the cells, where they claim to be of the cells as they are."""
    import pandas as pd

    try:
        opened = Run.open(run)
    except UserError:
        return  # told already
    collected = read_record(run / STAMP)
    current = collected.get("cells") == stamp(opened)
    expected = frames(opened, states(opened)) if current else {}
    for name in TABLES:
        file = run / f"{name}.parquet"
        if not file.is_file():
            if current:
                yield Finding(file.name, "missing: `tbbench report` makes it again")
            continue
        try:
            found = pd.read_parquet(file)
        except (OSError, ValueError) as error:
            line = " ".join(str(error).split())[:200]
            yield Finding(file.name, f"no table: {line}", "move")
            continue
        recorded = (collected.get("tables") or {}).get(file.name)
        if not current:
            continue
        if recorded != checksum(file) or not found.equals(_as_read(expected[name])):
            yield Finding(file.name, "not what the cells give", "move")


def _as_read(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with the types that its file gives."""
    import pandas as pd

    content = io.BytesIO()
    frame.to_parquet(content, index=False)
    return pd.read_parquet(content)
