"""Studies whose truth is known, thousands of them: how often intervals and verdicts are right."""

import numpy as np
import pandas as pd
import pytest

from benchmark import stats

pytestmark = [pytest.mark.slow, pytest.mark.long]

PROMPTS, SEEDS = 2, 3


def studies(number, subjects, method, random, shared=None, spread=0.1, noise=0.1):
    """Tidy rows of many studies at once: values around 0.5 that differ by subject, then by seed.

    `shared` [number, subjects] is the part of a subject's value that another method has as well.
    """
    own = random.normal(0.0, spread, (number, subjects))
    middle = 0.5 + own + (0.0 if shared is None else shared)
    values = middle[:, :, None, None] + random.normal(0, noise, (number, subjects, PROMPTS, SEEDS))
    names = ["study", "subject", "prompt_id", "seed"]
    index = pd.MultiIndex.from_product([range(size) for size in values.shape], names=names)
    frame = index.to_frame(index=False).astype({"subject": "str", "prompt_id": "str"})
    return frame.assign(value=values.ravel(), train_seed=0, method=method)


@pytest.mark.parametrize("subjects", [6, 30])
def test_a_95_percent_interval_covers_the_truth_in_95_percent_of_2000_studies(subjects):
    """The plain percentile interval fails this with 6 subjects (87%), and nearly with 30."""
    random = np.random.default_rng(subjects)
    frame = studies(2000, subjects, "m", random)
    table = stats.summarise(frame, ["study"], resamples=2000)
    covered = (table["low"] <= 0.5) & (table["high"] >= 0.5)
    assert len(table) == 2000
    assert 0.93 <= covered.mean() <= 0.97


@pytest.mark.parametrize("subjects", [6, 12, 30])
def test_a_beats_b_is_said_of_equal_methods_in_at_most_5_percent_of_studies(subjects):
    """Six metrics are compared in each study; one wrong verdict on any of them is one too many."""
    random = np.random.default_rng(subjects)
    metrics, number = 6, 200
    parts = []
    for metric in range(metrics):
        shared = random.normal(0, 0.3, (number, subjects))
        for method in "ab":
            made = studies(number, subjects, method, random, shared)
            parts.append(made.assign(metric=str(metric)))
    frame = pd.concat(parts, ignore_index=True)
    wrong = 0
    for _, study in frame.groupby("study"):
        table = stats.compare(study, ["metric"], "b", resamples=2000)
        assert len(table) == metrics
        wrong += bool((table["verdict"] != "not told apart").any())
    # 5% of 200 studies are 10; more than 18 come by chance in 1 of 100 such tests.
    assert wrong <= 18


def test_a_real_difference_is_found():
    random = np.random.default_rng(0)
    shared = random.normal(0, 0.3, (40, 30))
    better = studies(40, 30, "a", random, shared)
    better["value"] += 0.15
    worse = studies(40, 30, "b", random, shared)
    table = stats.compare(pd.concat([better, worse]), ["study"], "b", resamples=2000)
    assert (table["verdict"] == "above").mean() > 0.9
    assert (table["difference"] > 0).all()
