"""Who is best in each column, and which methods cannot be told apart from the best.

The best of a column is compared with every rival, paired by subject. A rival is told apart from it
as everywhere else (`benchmark.stats`): the interval of the difference excludes 0, and p is below
0.05 after Holm's correction. The headline's comparisons are corrected together, and those of all
other columns together, whichever of them a table shows: choosing columns changes no verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.protocols import as_published
from benchmark.stats import LEVEL, SUBJECTS_FOR_P, compare, holm
from reports.tables import (
    COLUMN,
    YARDSTICKS,
    Column,
    Score,
    belongs,
    best,
    columns,
    labels,
    marked,
    rivals,
)
from reports.tables import headline as headline_columns


@dataclass(frozen=True)
class Rival:
    """The best method of a column beside one other."""

    score: Score
    lead: float
    """Mean over subjects of the difference, positive where the best is better."""
    low: float
    high: float
    p_holm: float
    """NaN where there are too few subjects for a p-value."""
    apart: bool | None
    """Whether the two are told apart; None where there are too few subjects to say."""
    subjects: int


@dataclass(frozen=True)
class Lead:
    """The best method of a column and its rivals, the nearest first."""

    column: Column
    first: Score
    rivals: tuple[Rival, ...]
    comparisons: int
    """How many comparisons were corrected together."""

    @property
    def second(self) -> Rival:
        """The rival that is nearest to the best."""
        return self.rivals[0]

    @property
    def tied(self) -> list[Score]:
        """The rivals that are not told apart from the best, where there are subjects enough."""
        return [rival.score for rival in self.rivals if rival.apart is False]

    @property
    def judged(self) -> bool:
        """Whether there are enough subjects to tell methods apart."""
        return all(rival.apart is not None for rival in self.rivals)


def leads(results: pd.DataFrame, table: pd.DataFrame) -> dict[Column, Lead]:
    """The lead in every column where something can be won; `table` is the summary of `results`.

    Of methods with equal means the first one of the table stands for the best. A method that
    was scored on other subjects than the best is no rival of it.
    """
    scored = as_published(results)
    scored = scored[~scored["metric"].isin(list(YARDSTICKS))]
    scored = scored.assign(label=labels(scored))
    headline = headline_columns(table)
    first = {column: found[0] for column in columns(table) if (found := best(table, column))}
    compared = {
        column: _compared(scored[belongs(scored, column)], table, column, label)
        for column, label in first.items()
    }
    first = {column: label for column, label in first.items() if len(compared[column])}
    made: dict[Column, Lead] = {}
    for family in ([c for c in first if c in headline], [c for c in first if c not in headline]):
        if not family:
            continue
        frame = pd.concat([compared[column] for column in family], ignore_index=True)
        frame["p_holm"] = holm(frame["p"].to_numpy(np.float64))
        sizes = [len(compared[column]) for column in family]
        parts = np.split(np.arange(len(frame)), np.cumsum(sizes)[:-1])
        tested = int(frame["p"].notna().sum())
        for column, rows in zip(family, parts, strict=True):
            made[column] = _lead(table, column, first[column], frame.iloc[rows], tested)
    return made


def untied(table: pd.DataFrame, found: Iterable[Lead]) -> str:
    """Why a best that is marked has no ties marked beside it; empty where all can have."""
    if all(lead.judged for lead in found if marked(table, lead.column)):
        return ""
    return f"Ties are not marked where methods share fewer than {SUBJECTS_FOR_P} subjects: no test."


def _compared(rows: pd.DataFrame, table: pd.DataFrame, column: Column, first: str) -> pd.DataFrame:
    """`compare` of the rivals of one column with the best of them."""
    competing = [score.label for score in rivals(table, column)]
    return compare(rows[rows["label"].isin(competing)], COLUMN, first, column="label")


def _lead(
    table: pd.DataFrame, column: Column, first: str, rows: pd.DataFrame, comparisons: int
) -> Lead:
    scores = {score.label: score for score in rivals(table, column)}
    sign = -1.0 if column.better == "higher" else 1.0
    found = []
    for row in rows.to_dict("records"):
        ends = sorted([sign * row["low"], sign * row["high"]])
        known = not np.isnan(row["p_holm"])
        # A difference against the best would be no lead, however sure it is.
        apart = bool(row["p_holm"] < 1 - LEVEL and ends[0] > 0)
        found.append(
            Rival(
                score=scores[row["label"]],
                # + 0.0: an even race is no "-0.000".
                lead=sign * row["difference"] + 0.0,
                low=ends[0],
                high=ends[1],
                p_holm=row["p_holm"],
                apart=apart if known else None,
                subjects=int(row["subjects"]),
            )
        )
    nearest = sorted(found, key=lambda rival: (rival.lead, rival.score.label))
    return Lead(column, scores[first], tuple(nearest), comparisons)
