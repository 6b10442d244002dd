"""Squares and numbers are the frame's."""

import numpy as np
import pandas as pd
import pytest

from reports.figures import heatmap

ROWS = [("b", "s1", 0.5), ("b", "s0", 0.25), ("a", "s1", 0.75)]


def frame(rows=ROWS):
    return pd.DataFrame(rows, columns=["label", "subject", "value"])


def test_squares_hold_the_values_and_a_gap_where_there_is_none():
    axis, bar = heatmap(frame(), "fidelity").axes
    grid = axis.images[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(grid, -1), [[0.25, -1], [0.5, 0.75]])
    assert [text.get_text() for text in axis.get_xticklabels()] == ["b", "a"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["s0", "s1"]
    numbers = {text.get_position(): text.get_text() for text in axis.texts}
    assert numbers == {(0, 0): "0.250", (0, 1): "0.500", (1, 1): "0.750"}
    assert bar.get_ylabel() == "fidelity"


def test_numbers_stand_out_from_their_squares():
    axis = heatmap(frame(), "fidelity").axes[0]
    colours = {text.get_text(): text.get_color() for text in axis.texts}
    assert colours["0.250"] == "#ffffff"
    assert colours["0.750"] == "#000000"


def test_many_methods_have_colours_only():
    axis = heatmap(frame([(f"m{n}", "s0", n / 20) for n in range(13)]), "fidelity").axes[0]
    assert not axis.texts


def test_nothing_scored_nothing_drawn():
    with pytest.raises(ValueError, match="no scores"):
        heatmap(frame([]), "fidelity")
