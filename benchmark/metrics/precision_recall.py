"""Precision and recall: pictures among the photos, photos among the pictures.

Kynkaanniemi et al. (arXiv 1904.06991, section 2) by torch-fidelity, on the encoder's embeddings of
length 1: a picture counts for precision when it lies within the distance of some held-out photo to
its third neighbour, a photo for recall when it lies within that of some picture. Both from 0 to 1,
1 is best. With the four or five held-out photos of a subject every ball reaches nearly all of them:
precision is coarse there, and recall moves in steps of one photo.
"""

from __future__ import annotations

import pandas as pd

from benchmark.metrics.evidence import Evidence, Rows, scores

KIND = "image"
EMITS = {"precision": "higher", "recall": "higher"}
NEIGHBOURS = 3
CAVEAT = (
    "recall over the few photos of one subject is coarse and ranks sets wrongly on the toy world "
    "(Somers' D .45 and less, where precision has 1.00): do not rank methods by it"
)


def score(evidence: Evidence) -> pd.DataFrame:
    """Two rows for the cell; none when pictures or photos lack a third neighbour."""
    if min(len(evidence.generated), len(evidence.unseen)) <= NEIGHBOURS:
        return scores([])
    found = dict(zip(EMITS, precision_recall(evidence.generated, evidence.unseen), strict=True))
    return scores(
        {"metric": name, "reference": "unseen", "value": value} for name, value in found.items()
    )


def precision_recall(generated: Rows, photos: Rows) -> tuple[float, float]:
    """Of [n, d] and [m, d], n and m above `NEIGHBOURS`."""
    import torch
    from torch_fidelity.metric_prc import (
        KEY_METRIC_PRECISION,
        KEY_METRIC_RECALL,
        prc_features_to_metric,
    )

    found = prc_features_to_metric(
        torch.from_numpy(generated).double(),
        torch.from_numpy(photos).double(),
        prc_neighborhood=NEIGHBOURS,
        prc_batch_size=10_000,
        save_cpu_ram=False,
        verbose=False,
    )
    return float(found[KEY_METRIC_PRECISION]), float(found[KEY_METRIC_RECALL])
