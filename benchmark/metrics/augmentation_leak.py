"""Augmentation leak: do the training photo's changed copies come back where nobody asked for them?

TextBoost shows the model collages, crops and grey copies of the training photo and names each
change by a token of its own, so that the change is not learned as the subject's (arXiv 2409.08248,
section 3.2). Pictures are made without these tokens. `augmentation-leak` is how much nearer a
picture is, in cosine, to the nearest changed copy than to the nearest plain training photo: below 0
where the plain photo is nearer. `augmentation-leak-real` is the same of held-out photos, which
nobody changed: a picture above it looks more like a collage, a crop or a grey copy than a photo of
the subject does. The definition and the draws of the changes are this project's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import Evidence, Rows, described, scores

KIND = "image"
NEEDS = ("augmented",)
CAVEAT = (
    "augmentation-leak is for pictures that show the subject: noise or another subject can be as "
    "near to a crop as to the photo (on the toy world it ranks such sets wrongly with toy-clip, "
    "Somers' D .58, and rightly with efficientnet-lite0); read it beside fidelity"
)
EMITS = {"augmentation-leak": "lower", "augmentation-leak-real": "reference"}


def score(evidence: Evidence) -> pd.DataFrame:
    """One row per image; the yardstick once, none of it without held-out photos."""
    changed = [rows for rows in evidence.augmented.values() if len(rows)]
    if not changed or not len(evidence.seen):
        return scores([])
    copies = np.concatenate(changed)
    records: list[dict[str, object]] = [
        {**known, "metric": "augmentation-leak", "reference": "seen", "value": float(value)}
        for known, value in zip(
            described(evidence), _nearer(evidence.generated, copies, evidence.seen), strict=True
        )
    ]
    if len(evidence.unseen):
        real = float(_nearer(evidence.unseen, copies, evidence.seen).mean())
        records.append({"metric": "augmentation-leak-real", "reference": "seen", "value": real})
    return scores(records)


def _nearer(pictures: Rows, copies: Rows, plain: Rows) -> Rows:
    """[n], -2 to 2."""
    ahead: Rows = (pictures @ copies.T).max(axis=1) - (pictures @ plain.T).max(axis=1)
    return ahead
