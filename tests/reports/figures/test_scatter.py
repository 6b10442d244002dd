"""The scatter draws the numbers of the table."""

import numpy as np
import pytest
from matplotlib.colors import same_color
from scipy.stats import f

from reports import figures
from reports.figures.scatter import region
from reports.frames import subject_scores
from reports.tables import Column, columns, summary, values

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


def test_ellipses_stand_at_the_means_over_the_subjects_with_both_scores(results, table):
    per_subject = subject_scores(results, columns(table))
    axis = figures.fidelity_alignment(table, subject_scores=per_subject).axes[0]
    assert not any(container.has_xerr for container in axis.containers)
    drawn = {ellipse.get_label(): ellipse for ellipse in axis.patches}
    assert set(drawn) == set(values(table, X))
    for label, score in values(table, X).items():
        assert drawn[label].get_center()[0] == pytest.approx(score.mean)
        assert drawn[label].get_center()[1] == pytest.approx(values(table, Y)[label].mean)
    few = per_subject[per_subject["subject"].isin(["dog_a", "dog_b"])]
    assert not figures.fidelity_alignment(table, subject_scores=few).axes[0].patches


def test_the_regions_edge_is_hotellings():
    """The ends of both axes satisfy n (x - mean)' S^-1 (x - mean) = 2 (n - 1) / (n - 2) F."""
    points = np.random.default_rng(1).normal(size=(9, 2)) @ [[2.0, 0.7], [0.0, 0.4]]
    found = region(points)
    turn = np.deg2rad(found.angle)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    inverse = np.linalg.inv(np.cov(points, rowvar=False))
    for axis, length in zip(axes, (found.width, found.height), strict=True):
        away = axis * length / 2
        assert 9 * away @ inverse @ away == pytest.approx(2 * 8 / 7 * f.ppf(0.95, 2, 7))


def test_the_region_covers_the_truth_in_95_percent_of_studies():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        found = region(random.normal(size=(8, 2)) @ [[1.0, 0.8], [0.0, 0.3]])
        turn = np.deg2rad(-found.angle)
        x, y = -np.array(found.centre)
        along = (x * np.cos(turn) - y * np.sin(turn)) / (found.width / 2)
        across = (x * np.sin(turn) + y * np.cos(turn)) / (found.height / 2)
        covered += along**2 + across**2 <= 1
    # The standard error of 2,000 studies is 0.5%.
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


def test_subjects_on_a_line_have_a_flat_region_and_few_have_none():
    line = np.array([[n, 2.0 * n] for n in range(6)])
    assert region(line).height == pytest.approx(0, abs=1e-6)
    assert region(line[:4]) is None
