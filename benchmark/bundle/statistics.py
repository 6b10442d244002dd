"""The statistics that a bundle states, and that whoever checks it computes again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benchmark.stats import summarise

if TYPE_CHECKING:
    import pandas as pd

SCORE_KEYS = ["method", "preset", "metric", "encoder", "reference"]
COST_KEYS = ["method", "preset", "stage", "measure", "unit", "kind"]


def statistics(results: pd.DataFrame, costs: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Of every score the mean over subjects and its interval, of every cost mean and extremes.

    Missing values are None.
    """
    groups = costs.groupby(COST_KEYS, dropna=False, sort=False)["value"]
    spread = groups.agg(["mean", "min", "max", "count"]).reset_index()
    return {"scores": _records(summarise(results, SCORE_KEYS)), "costs": _records(spread)}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return int(value) if isinstance(value, int) else float(value)
