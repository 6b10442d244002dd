"""Dots and intervals are the frame's."""

import math

import numpy as np
import pandas as pd
import pytest

from reports.figures import mark, paired_differences

ROWS = [
    ("textboost", "s0", 0.3, 0.2, 0.1, 0.3),
    ("textboost", "s1", 0.1, 0.2, 0.1, 0.3),
    ("dreambooth", "s0", -0.1, -0.1, math.nan, math.nan),
]


def frame():
    names = ["label", "subject", "difference", "mean", "low", "high"]
    made = pd.DataFrame(ROWS, columns=names)
    return made.assign(method=made["label"])


def test_every_subject_is_a_dot_and_every_mean_has_its_interval():
    (axis,) = paired_differences(frame(), "base", "fidelity unseen").axes
    dots = [line for line in axis.lines if line.get_alpha() == 0.55]
    assert [sorted(line.get_xdata()) for line in dots] == [[0.1, 0.3], [-0.1]]
    assert [line.get_marker() for line in dots] == [
        mark("textboost").marker,
        mark("dreambooth").marker,
    ]
    first, second = axis.containers
    np.testing.assert_allclose(first.lines[2][0].get_segments()[0][:, 0], [0.1, 0.3])
    assert first.lines[0].get_xdata() == [0.2]
    assert not second.has_xerr
    assert axis.get_xlabel() == "fidelity unseen, difference from base"


def test_methods_stand_in_the_frames_order_from_the_top():
    (axis,) = paired_differences(frame(), "base", "fidelity").axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["textboost", "dreambooth"]
    bottom, top = axis.get_ylim()
    assert bottom > top


def test_nothing_paired_nothing_drawn():
    with pytest.raises(ValueError, match="no method shares a subject with base"):
        paired_differences(frame().iloc[:0], "base", "fidelity")
