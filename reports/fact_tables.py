"""Tables of what was spent, set and claimed, as typed cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.claims.units import BARE, SUFFIXES, suffix_of
from reports import format as show
from reports.cells import LONG_TEXT, NOTHING, TEXT, Cell, Head, Table, made, text
from reports.cost_figures import COSTS, cost_cells, cost_head, cost_notes
from reports.costs import settings_table
from reports.naming import PLAIN, Naming
from reports.tables import CONTROLS, labels

IN_COST_TABLE = (
    *("train_seconds", "step_seconds", "steps", "flops_per_step", "peak_memory"),
    *("peak_memory_predicted", "checkpoint", "parameters"),
)


def costs_in_cells(costs: pd.DataFrame, naming: Naming = PLAIN) -> Table:
    """Methods by costs; what was measured and what was predicted stand side by side."""
    labelled = costs.assign(label=labels(costs))
    rows_of = labelled.drop_duplicates("label")[["label", "method"]]
    rows_of = naming.applied(rows_of.assign(own=rows_of["label"]))
    cells = labelled.drop_duplicates(["label", "subject", "train_seed"])["label"].value_counts()
    figures = [COSTS[name] for name in IN_COST_TABLE]
    found = [cost_cells(costs, figure) for figure in figures]
    rows = [
        [
            text(row["label"]),
            Cell(float(cells[row["own"]]), "count"),
            *(column.get(row["own"], NOTHING) for column in found),
        ]
        for row in rows_of.to_dict("records")
    ]
    heads = [Head(("method",), TEXT), Head(("cells",))]
    heads += [cost_head(costs, figure) for figure in figures]
    methods = int((~rows_of["method"].isin(CONTROLS)).sum())
    rules = (methods,) if 0 < methods < len(rows) else ()
    notes: tuple[str, ...] = (
        "Times are means over cells, peaks the highest of all cells.",
        "Predicted and analytic figures were worked out, all others measured or counted; a dash "
        "stands where a method has no such stage or nothing was predicted.",
    )
    if any(cell.kind == "predicted" for column in found for cell in column.values()):
        notes += (
            "A predicted peak is of the tensors of one step under CUDA's rules: the process, its "
            "libraries, the CUDA context, workspaces and fragmentation come on top of it.",
        )
    notes += tuple(cost_notes(costs))
    return made("cost", "What each method cost.", heads, rows, rules, notes)


def settings_in_cells(cells_info: Sequence[Mapping[str, Any]], naming: Naming = PLAIN) -> Table:
    """Hyperparameters side by side: a row per setting, a column per method."""
    frame = settings_table(cells_info)
    columns = sorted(frame.columns[1:], key=naming.place)
    rows = [
        [text(row["setting"]), *(text(row[column]) for column in columns)]
        for row in frame.to_dict("records")
    ]
    heads = [Head(("setting",), TEXT)]
    heads += [Head((show.plain(naming.name(str(column))),), TEXT) for column in columns]
    return made("settings", "Hyperparameters of every method.", heads, rows)


def claims_in_cells(verdicts: Sequence[Mapping[str, Any]]) -> Table:
    """Claims and what became of them, from the records of verdicts.json of one run or several.

    A verdict's label (`toy`, `random weights`, ...) stands beside it: such a one says nothing of a
    paper. The run is named where the records are of several. An estimate is in the unit of its
    bound, and has no interval where it was counted.
    """
    several = len({verdict.get("run") for verdict in verdicts if verdict.get("run")}) > 1
    rows = [
        [
            *([text(_words(verdict.get("run")))] if several else []),
            text(verdict.get("id")),
            text(verdict.get("sentence")),
            text(_words(verdict.get("claims"))),
            text(_labelled(verdict)),
            *_estimate(verdict),
            Cell(_number(verdict.get("n")), "count"),
            text(_words(verdict.get("bound"))),
            text(_words(verdict.get("source"))),
            text(verdict.get("kind")),
        ]
        for verdict in verdicts
    ]
    heads = [
        *([Head(("run",), TEXT)] if several else []),
        Head(("id",), TEXT, printed=False),
        Head(("sentence",), LONG_TEXT),
        Head(("file",), TEXT, printed=False),
        Head(("verdict",), TEXT),
        Head(("estimate",)),
        Head(("unit",), TEXT),
        Head(("n",)),
        Head(("bound",), TEXT),
        Head(("source",), LONG_TEXT),
        Head(("kind",), TEXT),
    ]
    return made("claims", "Claims, and what the measurements say of them.", heads, rows)


def _estimate(verdict: Mapping[str, Any]) -> tuple[Cell, Cell]:
    """What was found, with its interval, and the unit it is in: none for a plain number."""
    unit = next((one for one in SUFFIXES if one == verdict.get("unit")), None)
    suffix = suffix_of(str(verdict.get("bound")), unit) if unit else ""
    factor = float(SUFFIXES[unit][suffix]) if unit and suffix else 1.0
    value, low, high = (_number(verdict.get(name)) / factor for name in ("estimate", "low", "high"))
    if low == high:
        low = high = math.nan
    found = Cell(value, "estimate", low, high, absent=show.NOT_MEASURED)
    return found, text(suffix or ("" if unit in BARE else _words(verdict.get("unit"))))


def _labelled(verdict: Mapping[str, Any]) -> object:
    label = verdict.get("label")
    return f"{verdict.get('verdict')} ({label})" if label else verdict.get("verdict")


def _number(value: object) -> float:
    """A figure of a record; NaN for none, and for what is no figure."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known else math.nan  # type: ignore[arg-type]


def _words(value: object) -> object:
    """A record's entry as one text: a number briefly, lists with commas."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(_words(item)) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else value
