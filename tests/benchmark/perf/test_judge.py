"""The interval against a bootstrap written out, and what each verdict needs."""

import math
import random
import statistics

import numpy as np
import pytest

from benchmark.perf import judge
from benchmark.perf.judge import BETTER, REGRESSION, SAME, UNCLEAR, Interval, paired, unpaired
from tests.benchmark.perf.files import times


def plain_bootstrap(base, new, resamples=4_000):
    """Blocks drawn with replacement, one after the other."""
    dice = random.Random(1)
    medians = [
        statistics.median(math.log(after / before) for before, after in zip(*two, strict=True))
        for two in zip(base, new, strict=True)
    ]
    found = [statistics.fmean(dice.choices(medians, k=len(medians))) for _ in range(resamples)]
    found.sort()
    # 95% of Student's t with 5 degrees of freedom, sqrt(6 / 5) times as wide: 2.816 normal ones.
    tail = statistics.NormalDist().cdf(-2.5706 * math.sqrt(6 / 5))
    return [math.expm1(found[round(share * resamples)]) for share in (tail, 1 - tail)]


def test_the_interval_is_that_of_a_plain_bootstrap_over_blocks():
    base, new = times(noise=0.03, seed=1), times(0.07, noise=0.03, seed=2)
    found = paired(base, new)
    low, high = plain_bootstrap(base, new)
    width = high - low
    assert found.low == pytest.approx(low, abs=0.12 * width)
    assert found.high == pytest.approx(high, abs=0.12 * width)
    medians = [
        statistics.median(after / before for before, after in zip(*two, strict=True))
        for two in zip(base, new, strict=True)
    ]
    assert found.change == pytest.approx(statistics.geometric_mean(medians) - 1, abs=0.003)


def test_what_slows_both_trees_alike_is_not_in_the_interval():
    wild = times(noise=0.5)
    slower = [[1.1 * second for second in block] for block in wild]
    found = paired(wild, slower)
    assert (found.change, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert judge.verdict(found) == REGRESSION


def test_one_process_that_was_slow_is_no_regression():
    """Its pairs all agree; only the other blocks know that the code is not to blame."""
    base, new = times(noise=0.005, seed=1), times(noise=0.005, seed=2)
    new[3] = [1.5 * second for second in new[3]]
    assert paired(base, new).change > judge.THRESHOLD
    assert judge.verdict(paired(base, new)) == UNCLEAR


def test_unpaired_files_share_nothing_between_their_blocks():
    base, new = times(noise=0.02, blocks=5, seed=1), times(0.5, noise=0.02, blocks=7, seed=2)
    found = unpaired(base, new)
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.1
    shuffled = unpaired(base, new[::-1])
    assert shuffled.change == pytest.approx(found.change)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.041, 0.2, REGRESSION),
        (0.039, 0.2, UNCLEAR),
        (-0.2, -0.041, BETTER),
        (-0.2, 0.039, SAME),
        (-0.01, 0.01, SAME),
        (-0.2, 0.2, UNCLEAR),
    ],
)
def test_a_verdict_needs_the_whole_interval_past_the_threshold(low, high, expected):
    assert judge.verdict(Interval((low + high) / 2, low, high)) == expected


def test_the_same_times_get_the_same_interval_every_time():
    base, new = times(seed=1), times(seed=2)
    assert paired(base, new) == paired(np.array(base).tolist(), np.array(new).tolist())
