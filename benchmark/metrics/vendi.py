"""Vendi score: how many different pictures are there, in effect?

The exponential of the von Neumann entropy of K / n, with K the cosine kernel of the n images of
one subject over the whole prompt set (Friedman and Dieng, arXiv 2210.02410, definition 3.1).
From 1, all the same, to n, all orthogonal; it depends on n, so compare only sets of equal size.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import Evidence, Rows, scores

KIND = "image"
EMITS = {"vendi": "higher"}


def score(evidence: Evidence) -> pd.DataFrame:
    """One row for the cell, without prompt, seed or image; none for fewer than two images."""
    if len(evidence.generated) < 2:
        return scores([])
    return scores([{"metric": "vendi", "value": vendi(evidence.generated)}])


def vendi(features: Rows) -> float:
    """Vendi score of rows of length 1, [n, d], from 1 to n."""
    kernel = features.astype(np.float64)
    # K = X X^T and X^T X share their eigenvalues except for zeros; take the smaller of the two.
    gram = kernel @ kernel.T if len(kernel) <= kernel.shape[1] else kernel.T @ kernel
    eigenvalues = np.linalg.eigvalsh(gram / len(kernel))
    positive = eigenvalues[eigenvalues > 0]
    return float(np.exp(-(positive * np.log(positive)).sum()))
