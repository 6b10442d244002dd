"""Diversity: how much do pictures of the same prompt differ from seed to seed?

Mean cosine distance (1 - cosine, 0 to 2) over pairs of images of one subject and prompt made from
different seeds: the DIV score of DreamBooth (arXiv 2208.12242, section 4.3) with an image encoder
in the place of LPIPS. One value per prompt. A prompt with a single seed has no pairs, and so no
value: it is left out, never 0.

It cannot tell variety from error: pictures of which some are right and some copy the training photo
differ more than right ones alone, and noise differs most. On the toy world it ranks mixtures with
copies wrongly (docs/explanation/meta-evaluation.md).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import Evidence, scores

KIND = "image"
EMITS = {"diversity": "higher"}
CAVEAT = (
    "diversity cannot tell variety from error: on the toy world it ranks right pictures mixed with "
    "copies or with noise above right pictures alone; read it beside alignment and fidelity"
)


def score(evidence: Evidence) -> pd.DataFrame:
    """One row per prompt with at least two seeds; its seed and image are missing."""
    records: list[dict[str, object]] = []
    for (prompt_id, prompt), group in evidence.rows.groupby(["prompt_id", "prompt"], sort=False):
        features = evidence.generated[group.index.to_numpy()]
        seeds = group["seed"].to_numpy()
        first, second = np.triu_indices(len(features), k=1)
        different = seeds[first] != seeds[second]
        if not different.any():
            continue
        cosines = (features @ features.T)[first[different], second[different]]
        value = 1.0 - cosines.mean(dtype=np.float64)
        records.append(
            {"prompt_id": prompt_id, "prompt": prompt, "metric": "diversity", "value": value}
        )
    return scores(records)
