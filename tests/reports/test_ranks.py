"""The critical-difference figure: who is in it, and what it shows."""

import matplotlib.colors as colours
import pytest

from reports.figures import mark, svg
from reports.ranks import critical_difference, headline_ranks
from reports.tables import summary


def test_methods_are_ranked_and_controls_are_not(results):
    ranked = headline_ranks(results, summary(results))
    assert len(ranked) == 3
    for column, ranking, methods in ranked:
        assert column.metric in ("fidelity", "alignment")
        assert set(ranking.names) == {"textboost", "dreambooth", "textual-inversion"}
        assert methods["textboost"] == "textboost"
        assert ranking.subjects == 6


def test_marks_stand_at_the_mean_ranks_in_the_methods_own_colours(results):
    ranked = headline_ranks(results, summary(results))[:1]
    _, ranking, _ = ranked[0]
    (axis,) = critical_difference(ranked).axes
    places = {
        colours.to_hex(line.get_color()): float(line.get_xdata()[0])
        for line in axis.lines
        if line.get_marker() not in ("None", "", None)
    }
    for name, rank in zip(ranking.names, ranking.mean_ranks, strict=True):
        assert places[mark(name).colour.lower()] == pytest.approx(rank)
    thick = [line for line in axis.lines if line.get_linewidth() == 4]
    assert len(thick) == len(ranking.groups)


def test_the_figure_is_the_same_bytes_again(results):
    ranked = headline_ranks(results, summary(results))
    assert svg(critical_difference(ranked)) == svg(critical_difference(ranked))


def test_too_few_subjects_have_no_figure(results):
    few = results[results["subject"].isin(["dog_a", "dog_b"])]
    assert headline_ranks(few, summary(few)) == []
    with pytest.raises(ValueError, match="no ranking"):
        critical_difference([])
