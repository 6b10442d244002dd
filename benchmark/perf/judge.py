"""Has it become slower? From blocks of times to an interval and a verdict.

Times are compared as logarithms of ratios. Of a block counts the median over its pairs, of several
blocks the mean; the interval is a bootstrap over blocks at 95%, widened for few of them as in
`benchmark.stats`. Pairs are not drawn again inside a block: how they scatter is already in how the
blocks' medians do. A regression is only what has its whole interval past the threshold.
docs/how-to/perf-gate.md has the error rates that follow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmark.stats import expanded_tail

THRESHOLD = 0.04
"""Share by which a case must have become slower: between no change and the 10% to be caught."""
UNPAIRED_THRESHOLD = 0.25
"""The same for two files measured at different times, between which the machine may change."""
FEWEST_BLOCKS = 4
RESAMPLES = 2_000

REGRESSION, BETTER, SAME, UNCLEAR, NOT_JUDGED = (
    "regression",
    "better",
    "same",
    "unclear",
    "not judged",
)

Draws = NDArray[np.float64]
Times = Sequence[Sequence[float]]
"""Seconds, one sequence per block."""


@dataclass(frozen=True)
class Interval:
    """A change as a share: 0.1 is 10% more than before."""

    change: float
    low: float
    high: float


def paired(base: Times, new: Times) -> Interval:
    """The change between two trees measured in turn: block by block, pair by pair."""
    pairs = zip(base, new, strict=True)
    return interval(np.array([np.median(np.log(two) - np.log(one)) for one, two in pairs]))


def unpaired(base: Times, new: Times) -> Interval:
    """The change between two files from different times: the blocks have nothing to do with one
    another. What the machine itself changed in between is not in the interval."""
    one, two = (np.array([np.median(np.log(block)) for block in side]) for side in (base, new))
    means = _resampled(two, 1) - _resampled(one, 0)
    return _limits(means, float(two.mean() - one.mean()), min(len(one), len(two)))


def interval(blocks: Draws) -> Interval:
    """From the change in every block, as logarithms of ratios."""
    return _limits(_resampled(blocks, 0), float(blocks.mean()), len(blocks))


def _resampled(blocks: Draws, seed: int) -> Draws:
    """[RESAMPLES] means over blocks drawn with replacement."""
    means: Draws = blocks[_places(len(blocks), seed)].mean(axis=1)
    return means


@lru_cache(maxsize=64)
def _places(blocks: int, seed: int) -> NDArray[np.int64]:
    """[RESAMPLES, blocks] of which blocks each resample takes."""
    return np.random.default_rng(seed).integers(0, blocks, (RESAMPLES, blocks))


def _limits(means: Draws, estimate: float, blocks: int) -> Interval:
    tail = expanded_tail(blocks)
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(math.expm1(estimate), math.expm1(float(low)), math.expm1(float(high)))


def verdict(found: Interval, threshold: float = THRESHOLD) -> str:
    """`regression` or `better` when the whole interval is past the threshold, `same` when none of
    it is past it on the slower side, else `unclear`."""
    if found.low > threshold:
        return REGRESSION
    if found.high < -threshold:
        return BETTER
    return UNCLEAR if found.high > threshold else SAME
