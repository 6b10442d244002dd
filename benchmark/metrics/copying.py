"""Copying: is it the training photo that comes back?

`copied` is the share of generated pictures whose nearest photo of the subject is a training photo,
nearer than every held-out one by more than `MARGIN` in cosine: 0 to 1, 0 is best. `copying-gap` is
how much nearer the pictures are to the training photos than to the held-out ones, and
`copying-gap-real` the same of the held-out photos themselves: a gap above it is overfit. The margin
is this project's choice, not a paper's. A method that always draws the subject in the training
photo's pose counts as copying even when every pixel is new.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import Evidence, scores

KIND = "image"
EMITS = {"copied": "lower", "copying-gap": "lower", "copying-gap-real": "reference"}
MARGIN = 0.05


def score(evidence: Evidence) -> pd.DataFrame:
    """One row of each for the cell; none without held-out photos."""
    seen, unseen, generated = evidence.seen, evidence.unseen, evidence.generated
    if not len(seen) or not len(unseen) or not len(generated):
        return scores([])
    ahead = (generated @ seen.T).max(axis=1) - (generated @ unseen.T).max(axis=1)
    copied = float((ahead > MARGIN).mean())
    gap = float((generated @ seen.T).mean() - (generated @ unseen.T).mean())
    records: list[dict[str, object]] = [
        {"metric": "copied", "reference": "seen", "value": copied},
        {"metric": "copying-gap", "value": gap},
    ]
    if len(unseen) > 1:
        among = (unseen @ unseen.T)[~np.eye(len(unseen), dtype=bool)].mean()
        real = float((unseen @ seen.T).mean() - among)
        records.append({"metric": "copying-gap-real", "value": real})
    return scores(records)
