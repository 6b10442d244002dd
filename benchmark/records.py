"""Records of a run: files of JSON with a version, which says who can read them, and a seal.

The seal is a checksum of the rest, so that `tbbench check` finds a flipped bit that leaves valid
JSON. It is of no use against forgery, and readers do without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.atomic import SEAL, digest, read_json, read_record, write_json
from benchmark.errors import UserError


def read_versioned(path: Path, latest: int) -> dict[str, Any]:
    """The record without its seal; empty when the file is missing or damaged.

    Without a version it is an early one. UserError when the version is newer than `latest`.
    """
    content = read_record(path)
    version = content.get("version", 0)
    if not isinstance(version, int) or version > latest:
        raise UserError(
            f"{path} was made by a newer textboost-bench ({path.name} version {version}, this one "
            f"reads up to {latest}); update textboost-bench, or give another folder"
        )
    return content


def read_intact(path: Path) -> dict[str, Any]:
    """The record without its seal; empty when it is missing, damaged or not as it was written.

    One that never was sealed is taken as it is.
    """
    return {} if seal_holds(path) is False else read_record(path)


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """The file with `sealed`."""
    write_json(path, sealed(content))


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The record, whose keys are all text, with its seal last."""
    return {**content, SEAL: digest(content)}


def seal_holds(path: Path) -> bool | None:
    """Whether the record is as it was written; None when it never was sealed, or is no record."""
    content = read_json(path)
    if not isinstance(content, dict) or SEAL not in content:
        return None
    return bool(content.pop(SEAL) == digest(content))
