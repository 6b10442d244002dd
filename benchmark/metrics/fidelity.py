"""Subject fidelity: is it the same subject as in the photos?

Per generated image the mean over the reference photos of the cosine of image embeddings (DINO and
CLIP-I of DreamBooth, arXiv 2208.12242, section 4.2, with the encoder named beside the score). The
training photos (`seen`) and the held-out ones (`unseen`) are references of their own and are never
averaged into one number: a method that copies its training photo wins the first alone.

`fidelity-ceiling` is what real photos reach: the training photos against the held-out ones, one
value per cell. `fidelity-ceiling-within` is the same among the held-out photos.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import Evidence, Rows, described, scores

KIND = "image"
EMITS = {
    "fidelity": "higher",
    "fidelity-ceiling": "reference",
    "fidelity-ceiling-within": "reference",
}


def score(evidence: Evidence) -> pd.DataFrame:
    """One row per image and reference, and the ceilings that the photos allow."""
    records: list[dict[str, object]] = []
    images = described(evidence)
    for reference, photos in (("seen", evidence.seen), ("unseen", evidence.unseen)):
        if not len(photos):
            continue
        values = (evidence.generated @ photos.T).mean(axis=1, dtype=np.float64)
        records += [
            {**row, "metric": "fidelity", "reference": reference, "value": value}
            for row, value in zip(images, values, strict=True)
        ]
    for metric, value in (
        ("fidelity-ceiling", ceiling(evidence.seen, evidence.unseen)),
        ("fidelity-ceiling-within", ceiling_within(evidence.unseen)),
    ):
        if value is not None:
            records.append({"metric": metric, "reference": "unseen", "value": value})
    return scores(records)


def ceiling(seen: Rows, unseen: Rows) -> float | None:
    """Mean cosine between training and held-out photos; None when either are missing."""
    if not len(seen) or not len(unseen):
        return None
    return float((seen @ unseen.T).mean(dtype=np.float64))


def ceiling_within(unseen: Rows) -> float | None:
    """Mean cosine over pairs of different held-out photos; None for fewer than two."""
    if len(unseen) < 2:
        return None
    return float((unseen @ unseen.T)[np.triu_indices(len(unseen), k=1)].mean(dtype=np.float64))
