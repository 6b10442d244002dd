"""KID: do the pictures come from where the held-out photos come from?

Kernel inception distance (Binkowski et al., arXiv 1801.01401, section 4) between the generated
pictures of one subject and its held-out photos, by torch-fidelity, on the encoder's embeddings of
length 1: polynomial kernel of degree 3, unbiased, so that it may lie below 0. 0 is best.

With few photos a subset holds all of them (`subset_size`); torch-fidelity's usual 1,000 would
refuse. What is emitted is a thousand times the value, as its name says: on rows of length 1 KID
is so small that three decimals would show nothing. It cannot tell what differs, subject or
surroundings: held-out photos show both.
"""

from __future__ import annotations

import pandas as pd

from benchmark.metrics.evidence import Evidence, Rows, scores

KIND = "image"
EMITS = {"kid-x1000": "lower"}
SUBSETS = 100
LARGEST_SUBSET = 1000
SEED = 2020


def score(evidence: Evidence) -> pd.DataFrame:
    """One row for the cell; none for fewer than two pictures or photos."""
    if min(len(evidence.generated), len(evidence.unseen)) < 2:
        return scores([])
    value = kid(evidence.generated, evidence.unseen)
    return scores([{"metric": "kid-x1000", "reference": "unseen", "value": 1000 * value}])


def subset_size(generated: int, photos: int) -> int:
    """Pictures, and photos, in each subset."""
    return min(generated, photos, LARGEST_SUBSET)


def kid(generated: Rows, photos: Rows) -> float:
    """Mean over `SUBSETS` random subsets, of [n, d] and [m, d], n and m at least 2."""
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    found = kid_features_to_metric(
        torch.from_numpy(generated).double(),
        torch.from_numpy(photos).double(),
        kid_subsets=SUBSETS,
        kid_subset_size=subset_size(len(generated), len(photos)),
        rng_seed=SEED,
        verbose=False,
    )
    return float(found[KEY_METRIC_KID_MEAN])
