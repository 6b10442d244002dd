"""Ranks against hand-worked numbers, Demsar's table of critical values, and scipy's test."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare

from benchmark.ranks import Ranking, rank_methods


def frame(scores):
    """Tidy rows from {method: [score per subject]}."""
    return pd.DataFrame(
        [
            {
                "method": method,
                "subject": f"s{place}",
                "train_seed": 0,
                "prompt_id": "p",
                "seed": 0,
                "value": value,
            }
            for method, values in scores.items()
            for place, value in enumerate(values)
        ]
    )


SCORES = {
    "good": [0.9, 0.8, 0.9, 0.7, 0.8, 0.9],
    "fair": [0.5, 0.8, 0.6, 0.8, 0.5, 0.6],
    "poor": [0.1, 0.2, 0.1, 0.2, 0.1, 0.2],
}


def test_mean_ranks_by_hand_with_a_tie():
    ranking = rank_methods(frame(SCORES), "higher")
    assert ranking.names == ["good", "fair", "poor"]
    # good: 1, 1.5, 1, 2, 1, 1; fair: 2, 1.5, 2, 1, 2, 2; poor: always 3.
    assert ranking.mean_ranks == pytest.approx([7.5 / 6, 10.5 / 6, 3.0])
    assert ranking.friedman_p == pytest.approx(friedmanchisquare(*SCORES.values()).pvalue)


def test_lower_may_be_better():
    ranking = rank_methods(frame(SCORES), "lower")
    assert ranking.names == ["poor", "fair", "good"]
    assert ranking.mean_ranks[0] == 1.0


@pytest.mark.parametrize(("methods", "q"), [(3, 2.343), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_is_demsars(methods, q):
    """Table 5(a) of the paper: q at 0.05."""
    random = np.random.default_rng(0)
    scores = {f"m{i}": random.normal(size=30).tolist() for i in range(methods)}
    expected = q * math.sqrt(methods * (methods + 1) / (6 * 30))
    assert rank_methods(frame(scores), "higher").critical_difference == pytest.approx(
        expected, rel=1e-3
    )


def test_groups_are_the_longest_runs_that_cannot_be_told_apart():
    ranking = Ranking("abcde", [1.0, 1.8, 2.5, 4.0, 4.4], 10, 0.01, 1.0)
    assert ranking.groups == [(0, 1), (1, 2), (3, 4)]
    assert Ranking("abc", [1.0, 2.5, 4.0], 10, 0.01, 1.0).groups == []
    assert Ranking("abc", [1.0, 1.5, 1.9], 10, 0.01, 1.0).groups == [(0, 2)]


def test_only_subjects_that_all_methods_have_are_ranked():
    scored = frame(SCORES | {"fair": [*SCORES["fair"], 0.4]})
    assert rank_methods(scored, "higher").subjects == 6


def test_too_few_subjects_or_methods_are_not_ranked():
    assert (
        rank_methods(frame({name: values[:5] for name, values in SCORES.items()}), "higher") is None
    )
    assert rank_methods(frame({"a": SCORES["good"], "b": SCORES["poor"]}), "higher") is None


def test_pictures_that_one_method_lacks_rank_nobody():
    """The prompt that `poor` lacks is easy for all: it lifts the others' means alone."""
    whole = frame(SCORES)
    easy = whole[whole["method"] != "poor"].assign(prompt_id="easy", value=1.0)
    lacking = rank_methods(pd.concat([whole, easy]), "higher")
    assert lacking == rank_methods(whole, "higher")
