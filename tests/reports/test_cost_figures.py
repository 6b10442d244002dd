"""Cost columns: what was measured is never what was predicted."""

import math

from reports.cost_figures import COSTS, cost_cells, cost_head
from reports.format import MISSING, NOT_MEASURED
from tests.reports.studies import costs

ROWS = [
    ("a", "s0", "train", "wall_seconds", 10.0, "measured"),
    ("a", "s1", "train", "wall_seconds", 20.0, "measured"),
    ("a", "s0", "train", "peak_rss_bytes", 2e9, "measured"),
    ("a", "s1", "train", "peak_rss_bytes", 3e9, "measured"),
    ("a", "s1", "generate", "peak_rss_bytes", 9e9, "measured"),
    ("a", "s0", "train", "peak_live_bytes", 5e9, "predicted"),
    ("a", "s0", "train", "trainable_parameters", 100.0, "exact"),
    ("b", "s0", "train", "trainable_parameters", 700.0, "predicted"),
    ("base", "s0", "generate", "wall_seconds", 1.0, "measured"),
]


def cell(name, label, rows=ROWS):
    return cost_cells(costs(rows), COSTS[name])[label]


def test_times_are_means_and_peaks_the_highest_of_their_stage():
    assert cell("train_seconds", "a").value == 15.0
    assert cell("peak_memory", "a").value == 3e9
    assert cell("peak_memory", "a").number == "3 GB"
    assert cell("peak_memory", "a").kind == "measured"


def test_a_prediction_has_a_column_of_its_own_that_says_so():
    assert cell("peak_memory_predicted", "a").value == 5e9
    assert cell("peak_memory_predicted", "a").kind == "predicted"
    assert cell("peak_memory_predicted", "base").number == MISSING
    assert cost_head(costs(ROWS), COSTS["peak_memory_predicted"]).title == "peak memory (predicted)"


def test_what_was_predicted_never_stands_where_measurements_do():
    """b's parameters were predicted only: its training ran, so they were not measured."""
    assert cell("parameters", "a").value == 100.0
    assert math.isnan(cell("parameters", "b").value)
    assert cell("parameters", "b").number == NOT_MEASURED


def test_a_stage_that_a_method_lacks_is_told_from_a_figure_that_was_not_taken():
    assert cell("train_seconds", "base").number == MISSING
    assert cell("step_seconds", "a").number == NOT_MEASURED
    assert cell("flops_per_step", "a").number == MISSING


def test_the_head_names_the_memory_that_was_measured():
    rss = costs(ROWS)
    assert cost_head(rss, COSTS["peak_memory"]).title == "peak memory in training (process, RSS)"
    on_cuda = costs([*ROWS, ("b", "s0", "train", "peak_cuda_allocated_bytes", 1e9, "measured")])
    head = cost_head(on_cuda, COSTS["peak_memory"]).title
    assert head == "peak memory in training (CUDA, allocated)"


def test_one_column_never_mixes_two_measures_of_memory():
    rows = [*ROWS, ("b", "s0", "train", "peak_cuda_allocated_bytes", 1e9, "measured")]
    assert cell("peak_memory", "b", rows).value == 1e9
    assert cell("peak_memory", "a", rows).number == NOT_MEASURED


def test_without_costs_there_are_no_cells():
    assert cost_cells(costs(ROWS).iloc[:0], COSTS["peak_memory"]) == {}
    assert cost_head(costs(ROWS).iloc[:0], COSTS["checkpoint"]).title == "checkpoint"
