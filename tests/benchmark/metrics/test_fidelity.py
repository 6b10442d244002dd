"""Fidelity against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import fidelity
from benchmark.metrics.evidence import Evidence

X, Y = [1.0, 0.0], [0.0, 1.0]
DIAGONAL = [0.6, 0.8]


def evidence(generated, seen, unseen):
    n = len(generated)
    rows = pd.DataFrame(
        {
            "prompt_id": [f"p{i}" for i in range(n)],
            "prompt": [f"prompt {i}" for i in range(n)],
            "seed": range(n),
            "image": [f"p{i}-{i}.png" for i in range(n)],
        }
    )
    return Evidence(
        rows=rows,
        generated=np.array(generated, dtype=np.float32),
        seen=np.array(seen, dtype=np.float32).reshape(len(seen), 2),
        unseen=np.array(unseen, dtype=np.float32).reshape(len(unseen), 2),
        texts=None,
    )


def test_seen_and_unseen_are_means_over_photos_kept_apart():
    frame = fidelity.score(evidence([X, DIAGONAL], seen=[X], unseen=[Y, DIAGONAL]))
    images = frame[frame["metric"] == "fidelity"].set_index(["reference", "prompt_id"])["value"]
    assert images[("seen", "p0")] == pytest.approx(1.0)
    assert images[("seen", "p1")] == pytest.approx(0.6)
    assert images[("unseen", "p0")] == pytest.approx((0.0 + 0.6) / 2)
    assert images[("unseen", "p1")] == pytest.approx((0.8 + 1.0) / 2)
    assert len(images) == 4


def test_cosines_below_zero_are_kept():
    frame = fidelity.score(evidence([[-1.0, 0.0]], seen=[X], unseen=[]))
    assert frame["value"].tolist() == [-1.0]


def test_ceilings_belong_to_the_cell_and_leave_image_and_prompt_missing():
    frame = fidelity.score(evidence([X], seen=[X, Y], unseen=[X, DIAGONAL]))
    cell = frame[frame["metric"] != "fidelity"].set_index("metric")
    assert cell.loc["fidelity-ceiling", "value"] == pytest.approx((1.0 + 0.6 + 0.0 + 0.8) / 4)
    assert cell.loc["fidelity-ceiling-within", "value"] == pytest.approx(0.6)
    assert set(cell["reference"]) == {"unseen"}
    assert cell[["prompt_id", "prompt", "seed", "image"]].isna().all(axis=None)


def test_without_held_out_photos_there_are_no_unseen_rows_and_no_ceiling():
    frame = fidelity.score(evidence([X], seen=[X], unseen=[]))
    assert set(frame["reference"]) == {"seen"}
    assert set(frame["metric"]) == {"fidelity"}


def test_one_held_out_photo_has_no_ceiling_within():
    assert fidelity.ceiling_within(np.array([X], dtype=np.float32)) is None
