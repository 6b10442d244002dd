"""Vendi score of sets whose entropy is known."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import vendi
from benchmark.metrics.evidence import Evidence


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 0, 0]] * 5, 1.0),
        (np.eye(3), 3.0),
        ([[1, 0], [1, 0], [0, 1], [0, 1]], 2.0),
        # Kernel [[1, .6], [.6, 1]] / 2 has the eigenvalues .8 and .2.
        ([[1, 0], [0.6, 0.8]], math.exp(-(0.8 * math.log(0.8) + 0.2 * math.log(0.2)))),
    ],
)
def test_known_values(rows, expected):
    assert vendi.vendi(np.array(rows, dtype=np.float32)) == pytest.approx(expected, rel=1e-6)


def test_more_images_than_dimensions_gives_the_same_as_the_full_kernel():
    features = np.random.default_rng(0).normal(size=(12, 4))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(features @ features.T / 12)
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    expected = math.exp(-(eigenvalues * np.log(eigenvalues)).sum())
    assert vendi.vendi(features.astype(np.float32)) == pytest.approx(expected, rel=1e-5)


def evidence(n):
    rows = pd.DataFrame(
        {"prompt_id": "a", "prompt": "A", "seed": range(n), "image": [str(i) for i in range(n)]}
    )
    none = np.zeros((0, n), dtype=np.float32)
    generated = np.eye(n, dtype=np.float32)
    return Evidence(rows=rows, generated=generated, seen=none, unseen=none, texts=None)


def test_one_row_per_cell():
    frame = vendi.score(evidence(4))
    assert frame["value"].tolist() == pytest.approx([4.0])
    assert frame[["prompt_id", "prompt", "seed", "image"]].isna().all(axis=None)


def test_a_single_image_has_no_diversity_to_score():
    assert vendi.score(evidence(1)).empty
