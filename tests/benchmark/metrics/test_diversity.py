"""Diversity: pairs of different seeds of one prompt, never across prompts."""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import diversity
from benchmark.metrics.evidence import Evidence


def evidence(features, prompts, seeds):
    rows = pd.DataFrame(
        {
            "prompt_id": prompts,
            "prompt": [p.upper() for p in prompts],
            "seed": seeds,
            "image": [f"{p}-{s}" for p, s in zip(prompts, seeds, strict=True)],
        }
    )
    none = np.zeros((0, 2), dtype=np.float32)
    generated = np.array(features, dtype=np.float32)
    return Evidence(rows=rows, generated=generated, seen=none, unseen=none, texts=None)


def test_mean_distance_over_pairs_of_one_prompt():
    features = [[1, 0], [0.6, 0.8], [0, 1], [1, 0], [-1, 0]]
    frame = diversity.score(evidence(features, list("aaabb"), [0, 1, 2, 0, 1]))
    values = frame.set_index("prompt_id")["value"]
    assert values["a"] == pytest.approx((0.4 + 1.0 + 0.2) / 3)
    assert values["b"] == pytest.approx(2.0)
    assert frame["seed"].isna().all()
    assert frame["image"].isna().all()


def test_order_of_the_rows_does_not_matter():
    features = [[1, 0], [1, 0], [0.6, 0.8], [-1, 0], [0, 1]]
    frame = diversity.score(evidence(features, list("ababa"), [0, 0, 1, 1, 2]))
    assert frame.set_index("prompt_id")["value"]["a"] == pytest.approx((0.4 + 1.0 + 0.2) / 3)


def test_one_seed_has_no_diversity_rather_than_zero():
    assert diversity.score(evidence([[1, 0], [0, 1]], list("ab"), [0, 0])).empty


def test_equal_pictures_have_zero():
    frame = diversity.score(evidence([[1, 0], [1, 0]], list("aa"), [0, 1]))
    assert frame["value"].tolist() == pytest.approx([0.0])
