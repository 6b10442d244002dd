"""The scatter draws the numbers of the table."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from reports import figures
from reports.tables import Column, summary, values

X = Column("alignment", None, "toy-clip", "higher")
Y = Column("fidelity", "unseen", "efficientnet-lite0", "higher")


@pytest.fixture(scope="module")
def table(results):
    return summary(results)


def test_one_panel_per_pair_of_encoders_named_on_the_axes(table):
    axes = figures.fidelity_alignment(table).axes
    assert len(axes) == 2
    assert "alignment (toy-clip)" in axes[0].get_xlabel()
    assert "fidelity unseen (efficientnet-lite0)" in axes[0].get_ylabel()
    assert "fidelity unseen (toy-clip)" in axes[1].get_ylabel()


def test_points_and_bars_are_the_means_and_intervals(table):
    axis = figures.fidelity_alignment(table).axes[0]
    across, up = values(table, X), values(table, Y)
    drawn = {tuple(c.lines[0].get_xydata()[0]): c for c in axis.containers}
    assert len(drawn) == 6
    for label, score in across.items():
        container = drawn[(score.mean, up[label].mean)]
        horizontal, vertical = (bar.get_segments()[0] for bar in container.lines[2])
        np.testing.assert_allclose(horizontal[:, 0], [score.low, score.high])
        np.testing.assert_allclose(vertical[:, 1], [up[label].low, up[label].high])


def test_two_subjects_are_drawn_without_bars(results):
    few = results[results["subject"].isin(["dog_a", "dog_b"])]
    axis = figures.fidelity_alignment(summary(few)).axes[0]
    assert len(axis.containers) == 6
    assert not any(container.has_xerr or container.has_yerr for container in axis.containers)


def test_methods_keep_their_colour_whatever_else_is_drawn(results):
    alone = results[results["method"].isin(["textboost", "base"])]
    axis = figures.fidelity_alignment(summary(alone)).axes[0]
    colours = [container.lines[0].get_color() for container in axis.containers]
    assert same_color(colours[0], figures.MARKS["textboost"].colour)
    assert figures.mark("somebody-elses") == figures.mark("somebody-elses")


def test_no_two_of_our_methods_look_alike():
    assert len(set(figures.MARKS.values())) == len(figures.MARKS)


def test_without_alignment_there_is_no_figure(results):
    table = summary(results[results["metric"] != "alignment"])
    assert figures.panels(table) == []
    with pytest.raises(ValueError, match="both fidelity and alignment"):
        figures.fidelity_alignment(table)


def test_svg_is_the_same_every_time_and_stands_alone(table):
    first = figures.svg(figures.fidelity_alignment(table))
    assert first == figures.svg(figures.fidelity_alignment(table))
    assert first != figures.svg(figures.fidelity_alignment(table, dark=True))
    assert b"<image" not in first


def test_png_is_a_png(table):
    assert figures.png(figures.fidelity_alignment(table)).startswith(b"\x89PNG")
