"""What is missing or strange behind a method's numbers, in sentences that stand beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reports.cells import Table

SOFTWARE = {
    "several": "Cells may have been made with different software: scores and costs need not "
    "compare.",
    "unknown": "What machine and software cells were made with is not known: scores and costs need "
    "not compare.",
}
"""`software` of a cell's record, see `reports.study.Study.cell_info` -> a sentence."""


def shortfalls(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each method of which not all cells are done: its means are over fewer.

    `cells` are records as `Run.cell_info` gives them.
    """
    found = []
    for name, group in _by_method(cells).items():
        states = [str(cell.get("status", "done")) for cell in group]
        if set(states) == {"done"}:
            continue
        done = states.count("done")
        left = ", ".join(
            f"{states.count(state)} {state}" for state in ("failed", "pending") if state in states
        )
        rest = "it has no numbers" if done == 0 else "its numbers are of those alone"
        found.append(f"{name}: {done} of {len(group)} cells are done ({left}); {rest}.")
    return found


def one_coloured(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each method that made pictures of one single colour."""
    found = []
    for name, group in _by_method(cells).items():
        flagged = [flag for c in group if (flag := (c.get("flags") or {}).get("one_colour"))]
        if not flagged:
            continue
        count = sum(flag["count"] for flag in flagged)
        pictures = "1 picture is" if count == 1 else f"{count} pictures are"
        where = "1 cell" if len(flagged) == 1 else f"{len(flagged)} cells"
        found.append(
            f"{name}: {pictures} of one single colour, such as black, in {where}; they count in "
            "its scores, so look at them before you believe those."
        )
    return found


def footnotes(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """What stands below a table that may be taken elsewhere alone: `shortfalls`, and that software
    differs, in short. The page and the terminal say which."""
    found = {cell.get("software", "one") for cell in cells}
    said = [text for kind, text in SOFTWARE.items() if kind in found]
    return [*said, *shortfalls(cells)]


def with_footnotes(tables: Sequence[Table], cells: Sequence[Mapping[str, Any]]) -> list[Table]:
    """The tables, each with its `footnotes`."""
    said = footnotes(cells)
    return [replace(table, notes=(*table.notes, *said)) for table in tables]


def _by_method(cells: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        groups.setdefault(f"{cell['method']} ({cell['preset']})", []).append(cell)
    return groups
