"""What changed from one run to another, as pure functions of both runs' tidy tables.

Scores are paired picture by picture: the same subject, training seed, prompt and generation seed
of the same method and preset. Both pictures of a pair were made from the same noise, so what is
left is what the change did. The interval is that of `benchmark.stats` over subjects. A cost is
paired cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics import directions
from benchmark.protocols import as_published, shown_directions
from benchmark.stats import (
    LEVEL,
    SUBJECTS_FOR_P,
    holm,
    permutation_p,
    subject_means,
    summarise,
)
from reports.tables import COLUMN, YARDSTICKS

METHOD = ["method", "preset"]
CELL = ["subject", "train_seed"]
PICTURE = [*CELL, "prompt_id", "seed"]
COST = ["stage", "measure", "unit", "kind"]
WHOLE_CELL = "all but scoring"
"""Stage of figures over a cell: the sum of its seconds, the highest of its peaks. Scoring is no
work of the method's, and two runs may score by other metrics."""
BEFORE_NOW = ["before", "now", "change", "low", "high"]
SCORE_COLUMNS = [
    *(*METHOD, *COLUMN, "better", *BEFORE_NOW),
    *("p", "p_holm", "verdict", "subjects", "pairs", "note"),
]
COST_COLUMNS = [*METHOD, *COST, *BEFORE_NOW, "ratio", "subjects", "cells", "note"]


def score_changes(results: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Changes of every score that both runs have, `SCORE_COLUMNS`; `base` is the earlier run's.

    `change` is the mean over subjects of now minus before, with its 95% interval. `verdict` is
    `better` or `worse` (`up` or `down` where neither is) when the interval excludes 0 and p is
    below 0.05 after Holm's correction over the whole table; `unchanged` when all pairs are equal;
    else `not told apart`, and missing with too few subjects for a p-value.
    """
    by = [*METHOD, *COLUMN]
    sides = [_scores(side)[[*by, *PICTURE, "value"]] for side in (results, base)]
    paired = _pairs(sides[0], sides[1], [*by, *PICTURE])
    table = _change(paired, by).rename(columns={"scores": "pairs"})
    better = directions()
    better |= {name: better[metric] for name, metric in shown_directions().items()}
    table["better"] = table["metric"].map(better)
    table["p_holm"] = holm(table["p"].to_numpy(np.float64))
    table["verdict"] = [_verdict(row) for row in table.to_dict("records")]
    return table[SCORE_COLUMNS].sort_values(METHOD, kind="stable", ignore_index=True)


def cost_changes(costs: pd.DataFrame, base: pd.DataFrame, same_machine: bool) -> pd.DataFrame:
    """Changes of every cost that both runs have, `COST_COLUMNS`; `ratio` is now over before.

    What was measured on another machine says nothing about a method: without `same_machine` only
    figures that do not depend on it (exact ones, such as bytes to store) are compared.
    """
    by = [*METHOD, *COST]
    sides = []
    for side in (costs, base):
        whole = _with_whole_cells(side)
        kept = whole if same_machine else whole[whole["kind"] == "exact"]
        sides.append(kept[[*by, *CELL, "value"]].assign(prompt_id=None, seed=None))
    paired = _pairs(sides[0], sides[1], [*by, *CELL])
    table = _change(paired, by).rename(columns={"scores": "cells"})
    with np.errstate(divide="ignore", invalid="ignore"):
        table["ratio"] = table["now"] / table["before"].where(table["before"] != 0)
    return table[COST_COLUMNS].sort_values(METHOD, kind="stable", ignore_index=True)


def setting_changes(
    cells: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """Settings of a method and preset that differ: method, preset, setting, before, now.

    `cells` are records as `Run.cell_info` gives them. A setting that one side lacks is missing.
    """
    now, before = _settings(cells), _settings(base)
    rows = [
        (*named, name, before[named].get(name), now[named].get(name))
        for named in now
        if named in before
        for name in dict.fromkeys([*before[named], *now[named]])
        if before[named].get(name) != now[named].get(name)
    ]
    return pd.DataFrame(rows, columns=[*METHOD, "setting", "before", "now"])


def _scores(results: pd.DataFrame) -> pd.DataFrame:
    shown = as_published(results)
    return shown[~shown["metric"].isin(list(YARDSTICKS))]


def _pairs(now: pd.DataFrame, before: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    """Rows that both sides have; `now`, `before` and `value`, their difference."""
    both = now.merge(
        before[[*on, "value"]].rename(columns={"value": "before"}),
        on=on,
        how="inner",
        validate="one_to_one",
    ).rename(columns={"value": "now"})
    return both.assign(value=both["now"] - both["before"])


def _change(paired: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Per group its means before and now, the change with its interval, and p."""
    table = summarise(paired, by).rename(columns={"mean": "change"})
    before: list[float] = []
    now: list[float] = []
    p: list[float] = []
    equal: list[bool] = []
    # The groups come in the same order here as in `summarise`.
    for _, rows in paired.groupby(by, dropna=False, sort=False):
        differences = np.array(list(subject_means(rows).values()))
        for side, values in (("before", before), ("now", now)):
            means = subject_means(rows.assign(value=rows[side]))
            values.append(float(np.mean(list(means.values()))))
        equal.append(bool((rows["value"] == 0).all()))
        # Where nothing changed there is nothing to test, nor to correct the others for.
        testable = len(differences) >= SUBJECTS_FOR_P and not equal[-1]
        p.append(permutation_p(differences) if testable else np.nan)
    return table.assign(
        before=np.array(before, float),
        now=np.array(now, float),
        p=np.array(p, float),
        equal=np.array(equal, bool),
    )


def _verdict(row: Mapping[Any, Any]) -> str | None:
    if row["equal"]:
        return "unchanged"
    if np.isnan(row["p_holm"]):
        return None
    sure = row["p_holm"] < 1 - LEVEL
    if not sure or not (row["low"] > 0 or row["high"] < 0):
        return "not told apart"
    up = row["low"] > 0
    if row["better"] not in ("higher", "lower"):
        return "up" if up else "down"
    return "better" if up == (row["better"] == "higher") else "worse"


def _with_whole_cells(costs: pd.DataFrame) -> pd.DataFrame:
    """The costs, and of every cell the sum of its stages' seconds and the highest of its peaks.

    A cell with a stage whose seconds were not measured has no sum.
    """
    whole = [*METHOD, *CELL, "measure", "unit", "kind"]
    measured = costs[(costs["kind"] == "measured") & (costs["stage"] != "score")]
    timed = measured["measure"] == "wall_seconds"
    stages = measured.groupby([*METHOD, *CELL], dropna=False)["stage"].transform("nunique")
    stages_timed = timed.groupby([measured[name] for name in (*METHOD, *CELL)], dropna=False)
    seconds = measured[timed & (stages_timed.transform("sum") == stages)]
    peaks = measured[measured["measure"].str.startswith("peak_")]
    added = [
        seconds.groupby(whole, dropna=False, as_index=False)["value"].sum(),
        peaks.groupby(whole, dropna=False, as_index=False)["value"].max(),
    ]
    whole_cells = pd.concat(added, ignore_index=True).assign(stage=WHOLE_CELL)
    together: pd.DataFrame = pd.concat([costs, whole_cells], ignore_index=True)
    return together


def _settings(cells: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, str]]:
    """(method, preset) -> setting -> its value as text, from any of its cells."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for cell in cells:
        named = (str(cell["method"]), str(cell["preset"]))
        if named not in found:
            parts = {"": cell["settings"], "compute.": cell["compute"], "prior.": cell["prior"]}
            found[named] = {
                f"{prefix}{name}": str(value)
                for prefix, part in parts.items()
                for name, value in part.items()
            } | {"version of the method's code": str(cell["code_version"])}
    return found
