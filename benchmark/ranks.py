"""Ranks of methods over subjects, and which of them can be told apart.

Every subject ranks the methods; ties share their mean rank. Friedman's test asks whether the ranks
differ at all, and Nemenyi's critical difference how far two mean ranks must lie apart to count
(Demsar, Journal of Machine Learning Research 7, 2006, section 3.2.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from benchmark.stats import LEVEL, SUBJECTS_FOR_P, in_common, subject_means

METHODS_FOR_RANKS = 3


@dataclass(frozen=True)
class Ranking:
    """Methods by mean rank, the best first."""

    names: Sequence[str]
    mean_ranks: Sequence[float]
    """1 is best."""
    subjects: int
    """Subjects that all methods have; the others do not count, nor do pictures that one lacks."""
    friedman_p: float
    """NaN when every subject ties all methods."""
    critical_difference: float

    @property
    def groups(self) -> list[tuple[int, int]]:
        """(first, last) of each longest run of methods that cannot be told apart, two or more."""
        found: list[tuple[int, int]] = []
        for first, rank in enumerate(self.mean_ranks):
            near = [
                place
                for place, other in enumerate(self.mean_ranks)
                if place > first and other - rank <= self.critical_difference
            ]
            if near and (not found or near[-1] > found[-1][1]):
                found.append((first, near[-1]))
        return found


def rank_methods(frame: pd.DataFrame, better: str, column: str = "method") -> Ranking | None:
    """Ranks the values of `column` by their scores in `frame`, tidy rows of one kind of score.

    `better` is `higher` or `lower`. None below `METHODS_FOR_RANKS` methods or `SUBJECTS_FOR_P`
    subjects that all of them have: there the critical difference would mean nothing.
    """
    frame = in_common(frame, column)
    scores = pd.DataFrame(
        {str(name): subject_means(rows) for name, rows in frame.groupby(column, sort=True)}
    ).dropna()
    n, k = scores.shape
    if k < METHODS_FOR_RANKS or n < SUBJECTS_FOR_P:
        return None
    # Heavy, and for nothing where there is nothing to rank.
    from scipy.stats import friedmanchisquare, rankdata

    merit = scores.to_numpy() * (1.0 if better == "higher" else -1.0)
    means = rankdata(-merit, axis=1).mean(axis=0)
    order = np.argsort(means, kind="stable")
    with np.errstate(invalid="ignore"):
        p = float(friedmanchisquare(*merit.T).pvalue)
    return Ranking(
        names=[str(scores.columns[place]) for place in order],
        mean_ranks=[float(means[place]) for place in order],
        subjects=n,
        friedman_p=p,
        critical_difference=_studentized_range(k) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n)),
    )


@cache
def _studentized_range(methods: int) -> float:
    """The point below which 95% of the studentized range over so many methods lies."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(LEVEL, methods, math.inf))
