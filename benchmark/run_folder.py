"""Whether a folder holds a run, may become one, or was taken away while it was worked on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.errors import UserError
from benchmark.plan_file import FILE as PLAN
from benchmark.store import QUARANTINE

RECORDS = ("config.toml", PLAN, "run.json")
WRITTEN_WHILE_WORKING = {"cells", "photos", "environment.json", "predictions.json", "tracking"}


def _is_run(path: Path) -> bool:
    """Whether the folder holds a run, be it one whose configuration is damaged or set aside."""
    return any((path / name).exists() for name in (*RECORDS, QUARANTINE))


def _is_rest(path: Path) -> bool:
    """Whether the folder holds what a run's work makes and nothing else, hidden files aside."""
    names = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}
    return (
        names <= WRITTEN_WHILE_WORKING
        and (path / "cells").is_dir()
        and all(re.fullmatch(r"[0-9a-f]{16}", entry.name) for entry in (path / "cells").iterdir())
    )


def check_folder(path: Path) -> None:
    """UserError when `path` is something other than a run, a new or an empty folder.

    Cells are also taken for a run's without its records: they are what is left where a run was
    removed while it was worked on.
    """
    if path.is_dir() and any(path.iterdir()) and not _is_run(path) and not _is_rest(path):
        raise UserError(f"{path} is a folder without a run; give --out another one")
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; give --out a folder")


@contextmanager
def told_if_removed(path: Path) -> Iterator[None]:
    """UserError when the run in folder `path` is gone at the end, whatever stumbled over that."""
    try:
        yield
    except (OSError, UserError) as error:
        _check_there(path, error)
        raise
    _check_there(path)


def _check_there(path: Path, stumbled: Exception | None = None) -> None:
    if not (path / PLAN).is_file():
        raise UserError(
            f"{path} was removed or moved while it was worked on; the same command goes on with "
            "what is there, or move the folder back first"
        ) from stumbled
