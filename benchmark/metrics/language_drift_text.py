"""Language drift in text: what training changed in the text encoder beside the subject's word.

Mean cosine distance (1 - cosine) between the trained and the untouched text encoder's states at the
end of each prompt, over a fixed set of prompts without the new word
(`datasets/prompts/drift.txt`), and over both encoders where there are two: 0 to 2, 0 is best. It is
exactly 0 for methods that leave the text encoder alone, whatever they do to the UNet; pictures show
that (`language-drift-images`). The measure is this project's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import distances, scores
from benchmark.metrics.probed import Probed

KIND = "model"
ENCODER = "text encoder"
NEEDS = ("drift",)
EMITS = {"language-drift-text": "lower"}


def score(probed: Probed) -> pd.DataFrame:
    """One row for the cell; none for a method that trains nothing."""
    if not probed.texts:
        return scores([])
    value = float(np.mean([distances(two.trained, two.untouched) for two in probed.texts]))
    return scores([{"metric": "language-drift-text", "value": value}])
