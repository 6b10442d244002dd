"""CLIP-MMD: a distance of pictures and held-out photos that needs no normal distribution.

Maximum mean discrepancy with a Gaussian kernel of width 10, times 1,000 (CMMD; Jayasumana et al.,
arXiv 2401.09603, section 4), on embeddings of length 1, between the generated pictures of one
subject and its held-out photos. From 0 up, 0 is best. It is the paper's number with
`clip-vit-l-14-336` alone; with other encoders it is the same formula in another space.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.metrics.evidence import Evidence, Rows, scores

KIND = "image"
EMITS = {"clip-mmd": "lower"}
WIDTH = 10.0
SCALE = 1000.0

Matrix = NDArray[np.float64]


def score(evidence: Evidence) -> pd.DataFrame:
    """One row for the cell; none without held-out photos."""
    if not len(evidence.generated) or not len(evidence.unseen):
        return scores([])
    value = clip_mmd(evidence.generated, evidence.unseen)
    return scores([{"metric": "clip-mmd", "reference": "unseen", "value": value}])


def clip_mmd(generated: Rows, photos: Rows) -> float:
    """Of rows of length 1, [n, d] and [m, d]; the biased estimate, as the paper's code has it."""
    x, y = generated.astype(np.float64), photos.astype(np.float64)
    return SCALE * float(_kernel(x, x).mean() + _kernel(y, y).mean() - 2 * _kernel(x, y).mean())


def _kernel(x: Matrix, y: Matrix) -> Matrix:
    squared = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None] - 2 * x @ y.T
    kernel: Matrix = np.exp(-squared / (2 * WIDTH**2))
    return kernel
