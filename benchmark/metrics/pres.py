"""PRES: has the class noun come to mean the subject?

Mean cosine between pictures of "a CLASS" by the trained model and the subject's photos (DreamBooth,
arXiv 2208.12242, section 4.2, which takes DINO embeddings): -1 to 1, lower is better. It rises when
every dog becomes the one dog. `pres-base` is the same of the untouched backbone's pictures from the
same noise: what training has to answer for is the difference. Training and held-out photos are told
apart as everywhere; the paper does not.
"""

from __future__ import annotations

import pandas as pd

from benchmark.metrics.evidence import Evidence, scores

KIND = "image"
NEEDS = ("class",)
EMITS = {"pres": "lower", "pres-base": "reference"}


def score(evidence: Evidence) -> pd.DataFrame:
    """One row of each per kind of photo; none for a method that trains nothing."""
    probe = evidence.probes.get("class")
    if probe is None or not len(probe.trained):
        return scores([])
    return scores(
        {"metric": metric, "reference": reference, "value": float((rows @ photos.T).mean())}
        for reference, photos in (("seen", evidence.seen), ("unseen", evidence.unseen))
        for metric, rows in (("pres", probe.trained), ("pres-base", probe.untouched))
        if len(photos)
    )
