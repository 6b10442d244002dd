"""Lines are means of the frame's losses."""

import numpy as np
import pandas as pd
import pytest

from reports.figures import losses, mark


def frame(values):
    """{(method, subject): losses}"""
    return pd.DataFrame(
        [
            {"label": m, "method": m, "subject": s, "train_seed": 0, "step": n, "loss": loss}
            for (m, s), given in values.items()
            for n, loss in enumerate(given, start=1)
        ],
        columns=["label", "method", "subject", "train_seed", "step", "loss"],
    )


def test_the_thin_line_is_the_mean_over_cells_at_every_step():
    study = frame({("textboost", "a"): [4.0, 2.0, 1.0], ("textboost", "b"): [2.0, 1.0]})
    thin, thick = losses(study).axes[0].lines
    assert thin.get_xydata().tolist() == [[1, 3.0], [2, 1.5], [3, 1.0]]
    # Below 20 steps the smoothed line is the same.
    assert thick.get_xydata().tolist() == thin.get_xydata().tolist()
    assert thick.get_linestyle() == mark("textboost").line


def test_the_thick_line_is_a_mean_over_a_twentieth_of_the_steps():
    """60 steps: windows of 3, and of 2 at the ends."""
    thick = losses(frame({("a", "s"): np.arange(60.0) ** 2})).axes[0].lines[1]
    smooth = thick.get_ydata()
    assert smooth[0] == (0 + 1) / 2
    assert smooth[10] == pytest.approx((81 + 100 + 121) / 3)
    assert smooth[59] == (58**2 + 59**2) / 2


def test_without_losses_there_is_no_figure():
    with pytest.raises(ValueError, match="no losses"):
        losses(frame({}))
