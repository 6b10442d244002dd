"""Language drift in pictures: what training changed where the subject is not asked for.

Mean cosine distance (1 - cosine) between the trained model's pictures of a fixed set of prompts and
the untouched backbone's from the same noise: 0 to 2, 0 is best and what a model gives that has not
changed. The prompts (`datasets/prompts/drift.txt`) name DreamBench's classes and scenes and no
subject, and no method trains on them. Lee et al. (EMNLP 2019) named language drift, DreamBooth
(arXiv 2208.12242, section 3.3) found it here; the measure is this project's.
"""

from __future__ import annotations

import pandas as pd

from benchmark.metrics.evidence import Evidence, distances, scores

KIND = "image"
NEEDS = ("drift",)
EMITS = {"language-drift-images": "lower"}


def score(evidence: Evidence) -> pd.DataFrame:
    """One row for the cell; none for a method that trains nothing."""
    probe = evidence.probes.get("drift")
    if probe is None or not len(probe.trained):
        return scores([])
    value = float(distances(probe.trained, probe.untouched).mean())
    return scores([{"metric": "language-drift-images", "value": value}])
