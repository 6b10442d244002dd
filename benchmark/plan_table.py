"""The cells of a plan as records and as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from benchmark.order import prior_set
from benchmark.plan import Cell
from benchmark.shards import split
from benchmark.store import cell_folder


def planned(cells: Sequence[Cell], folder: Path, shards: int) -> list[dict[str, Any]]:
    """Per cell, in the plan's order: what it is, its shard from 1, and its status in `folder`."""
    shard_of = {
        id(cell): number for number, part in enumerate(split(cells, shards), 1) for cell in part
    }
    return [
        {
            "key": cell.key,
            "label": cell.label,
            "method": cell.method,
            "preset": cell.preset,
            "subject": cell.subject,
            "train_seed": cell.train_seed,
            "shard": shard_of[id(cell)],
            "prior_set": prior_set(vars(cell)),
            "status": cell_folder(folder, cell.key).state()["status"],
        }
        for cell in cells
    ]


def tables(title: str, cells: Sequence[Mapping[str, Any]], shards: int) -> Iterator[Table]:
    """How many cells there are of each method and of each subject, and in each shard."""
    done = sum(cell["status"] == "done" for cell in cells)
    yield _counts(f"{title}: {len(cells)} cells, {done} done", "method", cells, _method)
    yield _counts(None, "subject", cells, lambda cell: str(cell["subject"]))
    if shards > 1:
        sizes = {str(number): 0 for number in range(1, shards + 1)}
        yield _counts(None, "shard", cells, lambda cell: str(cell["shard"]), sizes)


def _method(cell: Mapping[str, Any]) -> str:
    return cell["method"] if cell["preset"] == "paper" else f"{cell['method']} ({cell['preset']})"


def _counts(
    title: str | None,
    what: str,
    cells: Sequence[Mapping[str, Any]],
    name: Any,
    start: Mapping[str, int] | None = None,
) -> Table:
    """One row per name: cells, those that are done, and the sets of prior images among them."""
    found: dict[str, list[Mapping[str, Any]]] = {known: [] for known in start or {}}
    for cell in cells:
        found.setdefault(name(cell), []).append(cell)
    table = Table(box=None, pad_edge=False, title=escape(title) if title else None)
    table.title_justify = "left"
    table.add_column(what, no_wrap=True)
    for column in ("cells", "done", "prior sets"):
        table.add_column(column, justify="right")
    for known, mine in found.items():
        done = sum(cell["status"] == "done" for cell in mine)
        sets = len({cell["prior_set"] for cell in mine} - {None})
        table.add_row(escape(known), str(len(mine)), str(done), str(sets))
    return table
