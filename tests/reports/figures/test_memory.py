"""Steps are the frame's peaks, in the order of the stages."""

import numpy as np
import pandas as pd
import pytest

from reports.figures import memory_by_stage

ROWS = [("a", "train", 3e9), ("a", "load", 1e9), ("base", "generate", 2e9), ("base", "load", 1e9)]


def frame(rows=ROWS):
    made = pd.DataFrame(rows, columns=["label", "stage", "bytes"])
    return made.assign(method=made["label"], measure="process, RSS")


def test_every_method_has_a_step_per_stage_and_gaps_where_it_has_none():
    (axis,) = memory_by_stage(frame()).axes
    assert [text.get_text() for text in axis.get_xticklabels()] == ["load", "train", "generate"]
    ours, base = axis.lines
    np.testing.assert_array_equal(ours.get_ydata(), [1e9, 3e9, np.nan])
    np.testing.assert_array_equal(base.get_ydata(), [1e9, np.nan, 2e9])
    assert ours.get_drawstyle() == "steps-mid"
    assert axis.get_ylim()[0] == 0
    assert axis.get_ylabel() == "peak memory (process, RSS)"
    assert axis.yaxis.get_major_formatter()(2e9, 0) == "2 GB"


def test_no_two_methods_lie_over_each_other():
    ours, base = memory_by_stage(frame()).axes[0].lines
    assert np.all(np.abs(ours.get_xdata() - base.get_xdata()) > 0.1)
    assert np.all(np.abs(ours.get_xdata() - [0, 1, 2]) < 0.5)


def test_a_stage_nobody_knows_comes_last():
    (axis,) = memory_by_stage(frame([*ROWS, ("a", "dance", 1e9)])).axes
    assert axis.get_xticklabels()[-1].get_text() == "dance"


def test_nothing_measured_nothing_drawn():
    with pytest.raises(ValueError, match="no memory"):
        memory_by_stage(frame([]))
