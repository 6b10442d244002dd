"""FID: distance of the normal distributions fitted to pictures and to held-out photos.

Frechet inception distance (Heusel et al., arXiv 1706.08500, equation 6) between the generated
pictures of one subject and its held-out photos, by torch-fidelity, on the encoder's embeddings of
length 1. From 0 up, 0 is best.

Of fewer than 2,048 pictures and photos the covariance is singular, and the value depends on how
many there are: compare only runs of equal size, and prefer KID.
"""

from __future__ import annotations

import pandas as pd

from benchmark.metrics.evidence import Evidence, Rows, scores

KIND = "image"
EMITS = {"fid": "lower"}
CAVEAT = (
    "fid is over few pictures and photos per subject: below 2,048 the covariance is singular and "
    "the value depends on their number; compare only equal numbers, and prefer kid"
)


def score(evidence: Evidence) -> pd.DataFrame:
    """One row for the cell; none for fewer than two pictures or photos."""
    if min(len(evidence.generated), len(evidence.unseen)) < 2:
        return scores([])
    value = fid(evidence.generated, evidence.unseen)
    return scores([{"metric": "fid", "reference": "unseen", "value": value}])


def fid(generated: Rows, photos: Rows) -> float:
    """Of [n, d] and [m, d], n and m at least 2."""
    import torch
    from torch_fidelity.metric_fid import (
        KEY_METRIC_FID,
        fid_features_to_statistics,
        fid_statistics_to_metric,
    )

    fitted = [
        fid_features_to_statistics(torch.from_numpy(rows).double()) for rows in (generated, photos)
    ]
    return float(fid_statistics_to_metric(*fitted, verbose=False)[KEY_METRIC_FID])
