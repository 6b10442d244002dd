"""Best match: cosine of an image with the held-out photo that it resembles most."""

import pandas as pd

from benchmark.metrics.evidence import Evidence, described, scores

KIND = "image"
EMITS = {"best-match": "higher"}


def score(evidence: Evidence) -> pd.DataFrame:
    """One row per image; none when no photo is held out."""
    if not len(evidence.unseen):
        return scores([])
    best = (evidence.generated @ evidence.unseen.T).max(axis=1)
    return scores(
        {**row, "metric": "best-match", "reference": "unseen", "value": value}
        for row, value in zip(described(evidence), best, strict=True)
    )
