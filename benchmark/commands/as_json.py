"""`--json`: a command's outcome for machines, alone on standard output."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


def print_json(content: Any) -> None:
    """The content as JSON on standard output, in ASCII: any terminal and any pipe takes it."""
    typer.echo(json.dumps(plain(content), indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """What JSON can hold: records and arrays of numpy's taken apart, paths as text, and null for
    what is no number (NaN) or infinite. TypeError from `json` for anything else."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # an array or a number of numpy's
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
