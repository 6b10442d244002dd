"""Alignment is each image's raw cosine with its own prompt."""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import alignment
from benchmark.metrics.evidence import Evidence


def evidence(texts):
    rows = pd.DataFrame(
        {"prompt_id": ["a", "b"], "prompt": ["A", "B"], "seed": [0, 1], "image": ["0", "1"]}
    )
    generated = np.array([[1.0, 0.0], [0.6, 0.8]], dtype=np.float32)
    none = np.zeros((0, 2), dtype=np.float32)
    return Evidence(rows=rows, generated=generated, seen=none, unseen=none, texts=texts)


def test_raw_cosine_neither_scaled_nor_clipped():
    """Trap 4: cosines clamped at zero, CLIP-T scaled by 2.5."""
    texts = np.array([[0.8, 0.6], [-1.0, 0.0]], dtype=np.float32)
    frame = alignment.score(evidence(texts))
    assert frame["value"].tolist() == pytest.approx([0.8, -0.6])
    assert frame["prompt_id"].tolist() == ["a", "b"]
    assert frame["reference"].isna().all()


def test_an_encoder_without_text_is_refused():
    with pytest.raises(ValueError, match="needs an encoder of texts"):
        alignment.score(evidence(None))
