"""Has it become slower? From blocks of times to an interval and a verdict.

Times are compared as logarithms of ratios. Of a block counts the median over its pairs, of several
blocks the mean; the interval is a bootstrap over blocks and, inside each, over pairs, at 95% and
widened for few blocks as in `benchmark.stats`. A regression is only what has its whole interval
past the threshold. docs/perf-gate.md has the error rates that follow.
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
DRAWS = 300
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
    blocks = [np.log(np.array(b)) - np.log(np.array(a)) for a, b in zip(base, new, strict=True)]
    return interval(median_draws(blocks), float(np.mean([np.median(block) for block in blocks])))


def unpaired(base: Times, new: Times) -> Interval:
    """The change between two files from different times: the blocks have nothing to do with one
    another. What the machine itself changed in between is not in the interval."""
    sides = [[np.log(np.array(block)) for block in side] for side in (base, new)]
    means = [float(np.mean([np.median(block) for block in side])) for side in sides]
    drawn = [_resampled(median_draws(side), seed) for seed, side in enumerate(sides)]
    return _limits(drawn[1] - drawn[0], means[1] - means[0], min(map(len, sides)))


def median_draws(blocks: Sequence[Draws], seed: int = 0) -> Draws:
    """[blocks, DRAWS] medians, the values of every block drawn with replacement."""
    random = np.random.default_rng(seed)
    return np.stack(
        [
            np.median(block[random.integers(0, len(block), (DRAWS, len(block)))], axis=1)
            for block in blocks
        ]
    )


def interval(draws: Draws, estimate: float) -> Interval:
    """From the medians of every block and the estimate, both logarithms."""
    return _limits(_resampled(draws, 0), estimate, len(draws))


def _resampled(draws: Draws, seed: int) -> Draws:
    """[RESAMPLES] means over blocks drawn with replacement, each with one of its medians."""
    blocks, inner = draws.shape
    means: Draws = draws.ravel()[_places(blocks, inner, seed)].mean(axis=1)
    return means


@lru_cache(maxsize=64)
def _places(blocks: int, inner: int, seed: int) -> NDArray[np.int64]:
    """[RESAMPLES, blocks] of which medians each resample takes."""
    random = np.random.default_rng(seed)
    chosen = random.integers(0, blocks, (RESAMPLES, blocks))
    return chosen * inner + random.integers(0, inner, (RESAMPLES, blocks))


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
