"""The front holds what nothing beats, and the figure draws the frame."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from reports.figures import mark
from reports.figures.pareto import front, pareto
from reports.format import size


def points(rows, cost="checkpoint", unit="B"):
    frame = pd.DataFrame(rows, columns=["label", "spent", "mean", "low", "high"])
    return frame.assign(method=frame["label"], kind="method", cost=cost, unit=unit)


ROWS = [
    ("textboost", 1e5, 0.50, 0.45, 0.55),
    ("dreambooth", 3e9, 0.60, 0.55, 0.65),
    ("dreambooth-lora", 3e7, 0.45, np.nan, np.nan),
    ("custom-diffusion", 7e7, 0.55, 0.50, 0.60),
]


def beaten(point, others, sign):
    return any(
        other["spent"] <= point["spent"]
        and sign * other["mean"] >= sign * point["mean"]
        and (other["spent"], other["mean"]) != (point["spent"], point["mean"])
        for other in others
    )


@pytest.mark.parametrize(("better", "sign"), [("higher", 1), ("lower", -1)])
def test_the_front_is_what_no_other_point_beats(better, sign):
    random = np.random.default_rng(3)
    rows = [(f"m{n}", *random.integers(1, 9, 2).astype(float), 0.0, 0.0) for n in range(25)]
    frame = points(rows).drop_duplicates(["spent", "mean"])
    records = frame.to_dict("records")
    expected = {p["label"] for p in records if not beaten(p, records, sign)}
    assert set(front(frame, better)["label"]) == expected
    assert front(frame, better)["spent"].is_monotonic_increasing


def test_of_equal_points_one_stands_for_all():
    same = points([("a", 1.0, 0.5, 0.4, 0.6), ("b", 1.0, 0.5, 0.4, 0.6)])
    assert len(front(same, "higher")) == 1


def test_one_panel_per_cost_on_a_logarithmic_axis_with_the_frames_numbers():
    frame = pd.concat([points(ROWS), points(ROWS[:2], "training", "s")], ignore_index=True)
    first, second = pareto(frame, "fidelity").axes
    assert first.get_xscale() == second.get_xscale() == "log"
    assert first.get_xlabel().startswith("checkpoint")
    assert first.get_ylabel().startswith("fidelity")
    for axis, rows in ((first, ROWS), (second, ROWS[:2])):
        assert len(axis.containers) == len(rows)
        for container, (label, spent, mean, low, high) in zip(axis.containers, rows, strict=True):
            point = container.lines[0]
            assert point.get_xydata().tolist() == [[spent, mean]]
            assert same_color(point.get_color(), mark(label).colour)
            assert container.has_yerr is not np.isnan(low)
            if container.has_yerr:
                np.testing.assert_allclose(
                    container.lines[2][0].get_segments()[0][:, 1], [low, high]
                )
    line = first.lines[0].get_xydata()
    assert line.tolist() == [[1e5, 0.50], [7e7, 0.55], [3e9, 0.60]]


def test_ticks_are_in_the_units_words():
    axis = pareto(points(ROWS), "fidelity").axes[0]
    assert axis.xaxis.get_major_formatter()(1e9, 0) == size(1e9) == "1 GB"


def test_no_points_no_figure():
    with pytest.raises(ValueError, match="no method has both"):
        pareto(points(ROWS).iloc[:0], "fidelity")
