"""A cell's checkpoint as a folder for the Hugging Face Hub, to be uploaded as it is.

The checkpoint's files under their own names, each compared with its recorded checksum, and a
README.md: see `benchmark.hub_card`, which takes in the checkpoint's model_card.md.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchmark.atomic import checksum, files_under, new_folder, read_record
from benchmark.collect import environment_of, frames
from benchmark.disk import CONTROLS, MARGIN, free_bytes, size_text
from benchmark.environment_words import made_by
from benchmark.errors import UserError, shown
from benchmark.hub_card import Model, card
from benchmark.plan import Cell
from benchmark.records import read_intact, seal_holds
from benchmark.store import CellFolder, Run
from benchmark.subjects import unknown
from benchmark.transfer import check_name
from methods import model_card

README = "README.md"
KEY = re.compile(r"[0-9a-f]{1,16}")
MOST_LISTED = 6
"""Cells that a message names."""


@dataclass(frozen=True)
class Wanted:
    """Which cell: what is None is left open."""

    key: str | None = None
    """Its key, or the key's beginning."""
    method: str | None = None
    preset: str | None = None
    subject: str | None = None
    train_seed: int | None = None


@dataclass(frozen=True)
class ExportedModel:
    """What an export of a checkpoint wrote."""

    folder: Path
    model: Model
    files: tuple[str, ...]
    """Relative paths of all that the folder holds, sorted."""
    bytes: int
    """Of all files together."""
    replaced: tuple[str, ...]
    """Files of the checkpoint in whose place the new README.md is, but for model_card.md."""


def find_cell(run: Run, wanted: Wanted) -> Cell:
    """The run's one cell that is wanted.

    Controls, which have no checkpoint, do not count beside other cells. UserError when there is
    none, or several.
    """
    cells = list(run.planned)
    if wanted.key is not None:
        cells = [cell for cell in cells if cell.key.startswith(wanted.key)]
        if not KEY.fullmatch(wanted.key) or not cells:
            raise UserError(
                f"{run.path}: no cell's key begins with {shown(wanted.key)}; name it with "
                "--method and --subject instead, or leave it out to be shown some"
            )
    for name in ("method", "preset", "subject", "train_seed"):
        value = getattr(wanted, name)
        if value is None:
            continue
        known = list(dict.fromkeys(str(getattr(cell, name)) for cell in run.planned))
        if str(value) not in known:
            what = name.replace("_", " ")
            raise UserError(unknown(what, str(value), known, f" of {run.path}"))
        cells = [cell for cell in cells if getattr(cell, name) == value]
    if not cells:
        raise UserError(
            f"{run.path}: no cell is all of that; give fewer of the key, --method, --preset, "
            "--subject and --train-seed"
        )
    if len(cells) > 1:
        trained = [cell for cell in cells if cell.method not in CONTROLS]
        if not trained:
            raise UserError(_no_checkpoint(run, cells[0]))
        cells = trained
    if len(cells) > 1:
        listed = ", ".join(f"{cell.key} ({cell.label})" for cell in cells[:MOST_LISTED])
        more = f" and {len(cells) - MOST_LISTED} more" if len(cells) > MOST_LISTED else ""
        raise UserError(
            f"{run.path}: {len(cells)} cells are meant, and a folder holds one; give the key, or "
            f"--method, --preset, --subject and --train-seed: {listed}{more}"
        )
    return cells[0]


def export_model(run: Run, cell: Cell, out: Path, license: str | None = None) -> ExportedModel:
    """Writes the folder `out` with the cell's checkpoint and its card: whole or not at all.

    license: identifier of the Hub for the card; None: see `benchmark.hub_card.licence`. UserError
    when the cell is not done or has no checkpoint, a file is not as it was written, `out` is there
    and not empty, the license is no identifier, or the disk is too small.
    """
    out = out.resolve()
    _refuse_other(run, out)
    folder = run.folder(cell.key)
    state = folder.state()
    if state["status"] != "done":
        raise UserError(_not_done(run, cell, state["status"]))
    recorded = _recorded(run, cell, folder)
    _refuse_small_disk(out, folder, recorded)
    own = {name for name in recorded if name.lower() == README.lower()}
    tables = frames(run, {cell.key: state})
    model = Model(
        run=run,
        cell=cell,
        results=tables["results"],
        costs=tables["costs"],
        card=_own_card(run, folder, recorded),
        license=license,
        made_by=made_by(environment_of(run, {cell.key: state})),
    )
    text = card(model)
    with new_folder(out) as fresh:
        for name in sorted(recorded.keys() - own - {model_card.FILE}):
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder.checkpoint / name, target)
            if checksum(target) != recorded[name]:
                raise UserError(_damaged(run, folder, name, "is not as it was written"))
        (fresh / README).write_text(text, encoding="utf-8", newline="\n")
        files = files_under(fresh)
        size = sum((fresh / name).stat().st_size for name in files)
    return ExportedModel(out, model, tuple(files), size, tuple(sorted(own)))


def _refuse_other(run: Run, out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; give --out a new folder")
    if out.is_relative_to(run.path.resolve()):
        raise UserError(f"{out} lies in the run's own folder; give --out another place")
    if out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; give --out a new folder, or remove it")


def _recorded(run: Run, cell: Cell, folder: CellFolder) -> Mapping[str, str]:
    """The checkpoint's files, relative path -> SHA-256 as recorded; they are all there is.

    UserError when there are none, one is missing or is a link, or another lies beside them.
    """
    if seal_holds(folder.path / "cell.json") is False:
        raise UserError(_damaged(run, folder, "../cell.json", "is not as it was written"))
    artifacts = read_record(folder.path / "cell.json").get("artifacts")
    place = f"{folder.checkpoint.name}/"
    if artifacts is None:  # a cell from before checksums were recorded there
        recorded = read_intact(folder.path / "checkpoint.json").get("files") or {}
    else:
        found = {k: v for k, v in artifacts.items() if k.startswith(place)}
        recorded = {name.removeprefix(place): value for name, value in found.items()}
    if not recorded:
        raise UserError(_no_checkpoint(run, cell))
    for name in recorded:
        try:
            check_name(name)
        except ValueError as error:
            raise UserError(f"{folder.path}/cell.json: {error}") from error
        parts = [folder.checkpoint / part for part in PurePosixPath(name).parents]
        source = folder.checkpoint / name
        if any(part.is_symlink() for part in (source, *parts)) or not source.is_file():
            raise UserError(_damaged(run, folder, name, "is no file"))
    there = [n for n in files_under(folder.checkpoint) if not re.search(r"(^|/)\.", n)]
    if strange := sorted(set(there) - recorded.keys()):
        raise UserError(_damaged(run, folder, strange[0], "belongs to no cell"))
    return recorded


def _own_card(run: Run, folder: CellFolder, recorded: Mapping[str, str]) -> str:
    """What model_card.md says; empty where there is none. UserError when it was changed."""
    name = model_card.FILE
    if name not in recorded:
        return ""
    content = (folder.checkpoint / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != recorded[name]:
        raise UserError(_damaged(run, folder, name, "is not as it was written"))
    return content.decode("utf-8", "replace")


def _refuse_small_disk(
    out: Path, folder: CellFolder, names: Sequence[str] | Mapping[str, str]
) -> None:
    need = sum((folder.checkpoint / name).stat().st_size for name in names) + MARGIN
    free = free_bytes(out)
    if free < need:
        raise UserError(
            f"{out}: {size_text(free)} free, and the checkpoint needs {size_text(need)}; free some "
            "space, or give --out a folder on another disk"
        )


def _not_done(run: Run, cell: Cell, status: str) -> str:
    again = f"tbbench run {run.path}/config.toml --out {run.path}"
    if status == "failed":
        return f"{cell.key} ({cell.label}) failed; `{again} --retry failed` tries it again"
    return f"{cell.key} ({cell.label}) is not done yet; `{again}` does what is missing"


def _no_checkpoint(run: Run, cell: Cell) -> str:
    others = list(dict.fromkeys(c.method for c in run.planned if c.method not in CONTROLS))
    told = f"; name another method: {', '.join(others)}" if others else "; run a method that trains"
    return f"{cell.key} ({cell.label}) has no checkpoint, nothing was trained{told}"


def _damaged(run: Run, folder: CellFolder, name: str, what: str) -> str:
    file = folder.path / "cell.json" if name == "../cell.json" else folder.checkpoint / name
    return (
        f"{file} {what}; `tbbench check {run.path} --repair`, run what is missing there, and "
        "export again"
    )
