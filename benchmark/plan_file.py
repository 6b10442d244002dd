"""plan.json: the cells that count in a run, small and quick to read for ten thousand of them.

    {"version": 2,
     "resolved": what `plan` need not find out again,
     "shared": {DIGEST: a table or list that cells name by its digest: prompts, photos, settings},
     "cells": [a cell a line, the fields of `Cell`],
     "seal": SHA-256 of the text before it}

Version 1, still read, has no "shared": every cell carries its own tables.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.atomic import SEAL, checksum, digest, write_text
from benchmark.errors import UserError
from benchmark.plan import Cell
from benchmark.records import read_versioned

FILE = "plan.json"
VERSION = 2
TABLES = (
    *("settings", "seen", "unseen", "compute", "prior", "prompts"),
    *("metrics", "image_encoders", "text_encoders", "others", "probes"),
)
LISTS = ("seeds",)
NUMBERS = ("train_seed", "resolution", "steps", "outcome_version", "guidance_scale")
TEXTS = tuple(
    field.name
    for field in dataclasses.fields(Cell)
    if field.name not in (*TABLES, *LISTS, *NUMBERS, "live", "protocol_name")
)
_PLAIN_NAME = re.compile(r"[^/\\\0]{1,200}")


def write_plan(run: Path, cells: Sequence[Cell], resolved: Mapping[str, Any]) -> str:
    """plan.json of these cells, unless it holds them already. Gives the file's SHA-256."""
    text = plan_text(cells, resolved)
    file = run / FILE
    if not file.is_file() or file.read_bytes() != text.encode():
        write_text(file, text)
    return _sha256(text)


def plan_text(cells: Sequence[Cell], resolved: Mapping[str, Any]) -> str:
    """The file's content, as the module says."""
    shared: dict[str, Any] = {}
    # Cells of one plan share the very objects: each is hashed once.
    named: dict[int, str] = {}
    lines = []
    for cell in cells:
        content = cell.to_json()
        for name in (*TABLES, *LISTS):
            value = content[name]
            if id(value) not in named:
                named[id(value)] = digest(value, 12)
                shared[named[id(value)]] = value
            content[name] = named[id(value)]
        lines.append(json.dumps(content, ensure_ascii=False))
    parts = {"version": VERSION, "resolved": resolved, "shared": shared}
    head = ",\n".join(
        f'"{name}": {json.dumps(part, ensure_ascii=False)}' for name, part in parts.items()
    )
    text = "{" + head + ',\n"cells": [\n' + ",\n".join(lines) + "\n]"
    return f'{text},\n"{SEAL}": "{_sha256(text)}"}}\n'


def plan_seal_holds(run: Path) -> bool | None:
    """Whether plan.json is as it was written; None when it never was sealed, or is not there."""
    try:
        text, found, rest = (run / FILE).read_text(encoding="utf-8").rpartition(f',\n"{SEAL}": ')
    except (OSError, UnicodeDecodeError):
        return None
    return rest == f'"{_sha256(text)}"}}\n' if found else None


def read_cells(run: Path) -> tuple[Cell, ...]:
    """The planned cells. UserError when the file is missing, damaged or of a later version.

    Damaged is also a file that reads well and is not as it was written: cells that were taken out
    of it would be missing from tables without a word.
    """
    content = read_versioned(run / FILE, VERSION)
    if plan_seal_holds(run) is False:
        raise UserError(
            f"{run / FILE} is not as it was written; start the run again with `tbbench run` to "
            "rebuild it"
        )
    try:
        return _cells(content)
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(
            f"{run / FILE} is missing, damaged or of another version; "
            "start the run again with `tbbench run` to rebuild it"
        ) from error


def is_planned(run: Path, cells: Sequence[Cell], resolved: Mapping[str, Any]) -> bool:
    """Whether the folder's plan is of these cells; quick where the file is the very one."""
    with contextlib.suppress(OSError):
        if (run / FILE).read_bytes() == plan_text(cells, resolved).encode():
            return True
    return read_keys(run) == {cell.key for cell in cells}


def still_planned(run: Path, cells: Sequence[Cell], written: str) -> bool:
    """Whether the folder's plan is of these cells, `written` being what `write_plan` gave."""
    with contextlib.suppress(OSError):
        if checksum(run / FILE) == written:
            return True
    return read_keys(run) == {cell.key for cell in cells}


def read_keys(run: Path) -> set[str]:
    """Keys of the planned cells; empty when no plan can be read there.

    UserError when the plan is of a later version.
    """
    try:
        return {cell.key for cell in _cells(read_versioned(run / FILE, VERSION))}
    except (AttributeError, KeyError, TypeError):
        return set()


def read_resolved(run: Path) -> dict[str, Any]:
    """What an earlier plan of this run found out; empty for a new run.

    Nothing is taken from a file that is not as it was written: a flipped digit in a setting would
    plan other cells, and the next `write_plan` would seal it.
    """
    resolved = read_versioned(run / FILE, VERSION).get("resolved")
    return resolved if isinstance(resolved, dict) and plan_seal_holds(run) is not False else {}


def _cells(content: Mapping[str, Any]) -> tuple[Cell, ...]:
    return tuple(_cell(one, content.get("shared", {})) for one in content["cells"])


def _cell(content: Mapping[str, Any], shared: Mapping[str, Any]) -> Cell:
    """The cell that a line of the file says. TypeError or KeyError when it says none."""
    whole = {
        name: shared[value] if name in (*TABLES, *LISTS) and isinstance(value, str) else value
        for name, value in content.items()
    }
    cell = Cell.from_json(whole)
    for kinds, names in (
        (Mapping, TABLES),
        (list, LISTS),
        ((int, float), NUMBERS),
        (str, TEXTS),
        (bool, ("live",)),
        ((str, type(None)), ("protocol_name",)),
    ):
        for name in names:
            if not isinstance(getattr(cell, name), kinds):
                raise TypeError(f"{name} is {getattr(cell, name)!r}")
    # They become names of files and folders.
    for name in (cell.subject, *cell.prompts):
        if name in (".", "..") or not _PLAIN_NAME.fullmatch(name):
            raise TypeError(f"{name!r} is no name of a file")
    return cell


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
