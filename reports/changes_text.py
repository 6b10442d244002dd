"""Changes between runs in words: for the terminal, Markdown and the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from reports import format as show
from reports.changes import WHOLE_CELL
from reports.cost_figures import FOUND
from reports.tables import labels

UNITS: dict[str, Callable[[float], str]] = {"s": show.seconds, "B": show.size}
GLANCE = (
    (WHOLE_CELL, "wall_seconds"),
    ("train", "wall_seconds"),
    ("train", "step_seconds_median"),
    (WHOLE_CELL, "peak_rss_bytes"),
    (WHOLE_CELL, "peak_cuda_allocated_bytes"),
    ("save", "checkpoint_bytes"),
    ("train", "trainable_parameters"),
)
"""(stage, measure) of the costs that the terminal shows; the files hold all."""
GOOD = {"better": "green", "worse": "red"}


def score_changes_text(changes: pd.DataFrame) -> pd.DataFrame:
    """A row of words per change of a score."""
    return pd.DataFrame(
        {
            "method": _named(changes),
            "score": [_score(row) for row in changes.to_dict("records")],
            "before": [show.number(value) for value in changes["before"]],
            "now": [show.number(value) for value in changes["now"]],
            "change": [_with_span(row, show.signed) for row in changes.to_dict("records")],
            "p": [show.probability(value) for value in changes["p"]],
            "p (Holm)": [show.probability(value) for value in changes["p_holm"]],
            "verdict": [show.MISSING if pd.isna(said) else said for said in changes["verdict"]],
            "subjects": [str(n) for n in changes["subjects"]],
            "pairs": [str(n) for n in changes["pairs"]],
            "note": list(changes["note"]),
        }
    )


def cost_changes_text(changes: pd.DataFrame) -> pd.DataFrame:
    """A row of words per change of a cost."""
    rows = changes.to_dict("records")
    return pd.DataFrame(
        {
            "method": _named(changes),
            "cost": [_cost(row) for row in rows],
            "before": [_amount(row, row["before"]) for row in rows],
            "now": [_amount(row, row["now"]) for row in rows],
            "change": [
                _with_span(row, lambda value, row=row: _signed_amount(row, value))  # type: ignore[misc]
                for row in rows
            ],
            "relative": [relative(row["ratio"]) for row in rows],
            "cells": [str(row["cells"]) for row in rows],
            "note": [row["note"] for row in rows],
        }
    )


def relative(ratio: float) -> str:
    """A ratio of now to before as a change: `-12.5%`, `+0.0%`."""
    return show.MISSING if math.isnan(ratio) else f"{ratio - 1:+z.1%}"


def rich_changes(scores: pd.DataFrame, headline: pd.Series[bool]) -> Table:
    """Changes of the scores that `headline` marks, for the terminal."""
    made = Table(title="Scores", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("method", "score", "now", "change", "verdict"):
        made.add_column(name, overflow="fold", justify="right" if name == "now" else "left")
    for row in score_changes_text(scores)[headline].to_dict("records"):
        verdict = Text(row["verdict"], style=GOOD.get(row["verdict"], ""))
        made.add_row(*(Text(row[name]) for name in ("method", "score", "now", "change")), verdict)
    return made


def rich_cost_changes(costs: pd.DataFrame) -> Table:
    """Changes of the costs of `GLANCE`, for the terminal."""
    made = Table(title="Costs", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("method", "cost", "now", "change", "relative"):
        made.add_column(name, overflow="fold", justify="left" if name in "method cost" else "right")
    place = {pair: number for number, pair in enumerate(GLANCE)}
    pairs = zip(costs["stage"], costs["measure"], strict=True)
    chosen = [place.get(pair, len(GLANCE)) for pair in pairs]
    words = cost_changes_text(costs).assign(place=chosen, turn=costs["method"] + costs["preset"])
    shown = words[words["place"] < len(GLANCE)].sort_values(["turn", "place"], kind="stable")
    for row in shown.to_dict("records"):
        made.add_row(*(Text(row[name]) for name in ("method", "cost", "now", "change", "relative")))
    return made


def _named(changes: pd.DataFrame) -> list[str]:
    named = list(labels(changes)) if len(changes) else []
    if "run" not in changes:
        return named
    return [f"{name}, run {run}" for name, run in zip(named, changes["run"], strict=True)]


def _score(row: dict[Hashable, Any]) -> str:
    reference = "" if pd.isna(row["reference"]) else f" {row['reference']}"
    encoder = "" if pd.isna(row["encoder"]) else f" ({row['encoder']})"
    arrow = show.ARROWS.get(row["better"], "") if isinstance(row["better"], str) else ""
    return f"{row['metric']}{reference}{encoder} {arrow}".rstrip()


def _cost(row: dict[Hashable, Any]) -> str:
    """Stage and measure; how the figure came about, where nobody measured or counted it."""
    worked_out = "" if row["kind"] in FOUND else f" ({row['kind']})"
    return f"{row['stage']}: {row['measure']}{worked_out}"


def _with_span(row: dict[Hashable, Any], shown: Callable[[float], str]) -> str:
    if row["change"] == row["low"] == row["high"] == 0:
        return "none"
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return shown(row["change"])
    return f"{shown(row['change'])} [{shown(row['low'])} to {shown(row['high'])}]"


def _amount(row: dict[Hashable, Any], value: float) -> str:
    return UNITS.get(row["unit"], show.count)(value)


def _signed_amount(row: dict[Hashable, Any], value: float) -> str:
    sign = "-" if value < 0 else "+"
    return f"{sign}{_amount(row, abs(value))}"
