"""Every figure there is something for, under the reader's names."""

import pandas as pd
import pytest
from matplotlib.colors import same_color

from reports.figure_set import figure_set
from reports.naming import Naming
from reports.tables import summary
from tests.reports.studies import alignment, costs, scores

VALUES = [0.5, 0.6, 0.4, 0.5, 0.7]
SPENT = [
    ("a", "s0", "train", "wall_seconds", 10.0, "measured"),
    ("b", "s0", "train", "wall_seconds", 20.0, "measured"),
    ("a", "s0", "train", "peak_rss_bytes", 1e9, "measured"),
]
NAMING = Naming({"b": "Bee", "a": "Ay"}, {"b": "#112233"})


@pytest.fixture(scope="module")
def study():
    two = {"a": [v + 0.1 for v in VALUES], "b": VALUES, "base": [v - 0.1 for v in VALUES]}
    return pd.concat([scores(two), alignment(two)], ignore_index=True)


@pytest.fixture(scope="module")
def drawn(study):
    losses = pd.DataFrame(
        {"label": ["a", "b"], "method": ["a", "b"], "subject": "s0", "step": 1, "loss": 0.5}
    )
    return figure_set(study, summary(study), costs(SPENT), NAMING, losses)


def test_there_is_one_of_each_and_three_per_headline_score(drawn):
    per_score = [f"{kind}_{n}" for n in (1, 2) for kind in ("pareto", "differences", "heatmap")]
    assert list(drawn) == ["fidelity_alignment", *per_score, "memory", "loss"]


def test_methods_have_the_readers_names_order_and_colours_everywhere(drawn):
    shown = {
        name: [text.get_text() for text in figure.legends[0].get_texts()]
        for name, figure in drawn.items()
        if figure.legends
    }
    assert shown["fidelity_alignment"] == ["Bee", "Ay", "base"]
    assert shown["pareto_1"] == shown["loss"] == ["Bee", "Ay"]
    assert shown["memory"] == ["Ay"]
    ticks = drawn["differences_1"].axes[0].get_yticklabels()
    assert [text.get_text() for text in ticks] == ["Bee", "Ay"]
    assert "difference from base" in drawn["differences_1"].axes[0].get_xlabel()
    ticks = drawn["heatmap_2"].axes[0].get_xticklabels()
    assert [text.get_text() for text in ticks] == ["Bee", "Ay", "base"]
    assert same_color(drawn["pareto_1"].axes[0].containers[0].lines[0].get_color(), "#112233")
    assert same_color(drawn["loss"].axes[0].lines[0].get_color(), "#112233")


def test_without_base_differences_are_from_the_best(study):
    without = study[study["method"] != "base"]
    made = figure_set(without, summary(without), costs(SPENT).iloc[:0])
    assert "difference from a" in made["differences_1"].axes[0].get_xlabel()
    assert not {"pareto_1", "memory", "loss"} & set(made)


def test_of_nothing_there_is_nothing(study):
    assert figure_set(study.iloc[:0], pd.DataFrame(), costs(SPENT).iloc[:0]) == {}
