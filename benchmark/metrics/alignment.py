"""Prompt alignment: does the picture show what the prompt asks for?

CLIP-T of DreamBooth (arXiv 2208.12242, section 4.2): the cosine of the image with the prompt in
which the class noun alone stands for the subject. The value is the raw cosine, from -1 to 1:
neither scaled by 2.5 nor clipped at 0, as some public code does.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import Evidence, described, scores

KIND = "text"
EMITS = {"alignment": "higher"}


def score(evidence: Evidence) -> pd.DataFrame:
    """One row per image. Raises ValueError when the evidence holds no texts."""
    if evidence.texts is None:
        raise ValueError("alignment needs an encoder of texts; this evidence holds none")
    values = (evidence.generated * evidence.texts).sum(axis=1, dtype=np.float64)
    return scores(
        {**row, "metric": "alignment", "value": value}
        for row, value in zip(described(evidence), values, strict=True)
    )
