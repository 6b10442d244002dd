"""Frames for figures, against values worked out by hand."""

import pandas as pd
import pytest

from reports import frames
from reports.tables import Column, summary
from tests.reports.made_up import cell, make_run
from tests.reports.studies import costs, scores

FIDELITY = Column("fidelity", "unseen", "toy-clip", "higher")
BASE = [0.1, 0.2, 0.3, 0.4, 0.5]
OURS = [0.3, 0.5, 0.3, 0.6, 0.9]


@pytest.fixture(scope="module")
def study():
    others = [scores({"a": [0.9] * 5, "base": BASE}, reference="seen")]
    return pd.concat([scores({"a": OURS, "base": BASE, "b": [0.5]}), *others], ignore_index=True)


def test_subject_scores_are_means_over_a_subjects_pictures():
    twice = pd.concat([scores({"a": [0.2]}), scores({"a": [0.8, 0.4]}, seed=1)], ignore_index=True)
    frame = frames.subject_scores(twice, [FIDELITY])
    assert frame.set_index("subject")["value"].to_dict() == {
        "s0": pytest.approx(0.5),
        "s1": pytest.approx(0.4),
    }
    assert frame["reference"].unique() == ["unseen"]


def test_differences_are_paired_by_subject(study):
    frame = frames.differences_from(study, FIDELITY, "base")
    ours = frame[frame["label"] == "a"].set_index("subject")["difference"]
    assert ours.to_dict() == pytest.approx({"s0": 0.2, "s1": 0.3, "s2": 0.0, "s3": 0.2, "s4": 0.4})
    assert frame.loc[frame["label"] == "a", "mean"].unique() == pytest.approx([0.22])
    # b shares the subject s0 alone.
    other = frame[frame["label"] == "b"]
    assert other["difference"].tolist() == pytest.approx([0.4])
    assert other["low"].isna().all()


def test_differences_are_of_pictures_that_both_have():
    """A seed that `a` has alone would make it better."""
    rows = [scores({"a": [0.5] * 5, "base": [0.5] * 5}), scores({"a": [0.9] * 5}, seed=1)]
    frame = frames.differences_from(pd.concat(rows, ignore_index=True), FIDELITY, "base")
    assert frame["difference"].tolist() == [0.0] * 5
    assert frame["mean"].unique().tolist() == [0.0]


def test_pareto_points_pair_a_score_with_what_it_cost(study):
    spent = costs(
        [
            ("a", "s0", "train", "wall_seconds", 10.0, "measured"),
            ("a", "s1", "train", "wall_seconds", 30.0, "measured"),
            ("a", "s0", "save", "checkpoint_bytes", 0.0, "exact"),
            ("b", "s0", "train", "peak_rss_bytes", 7.0, "measured"),
            ("b", "s0", "save", "checkpoint_bytes", 5.0, "predicted"),
            ("base", "s0", "train", "wall_seconds", 1.0, "measured"),
            ("unscored", "s0", "train", "wall_seconds", 1.0, "measured"),
        ]
    )
    points = frames.pareto_points(summary(study), spent, FIDELITY)
    # No controls, nothing predicted, and no 0 on a logarithmic axis.
    assert points[["label", "cost", "spent"]].to_numpy().tolist() == [
        ["b", "peak memory in training (process, RSS)", 7.0],
        ["a", "training", 20.0],
    ]
    assert points.set_index("label").loc["a", "mean"] == pytest.approx(0.52)


def test_memory_is_the_highest_peak_of_a_stage_in_the_order_of_the_stages():
    rows = [
        ("a", "s0", "train", "peak_rss_bytes", 2.0, "measured"),
        ("a", "s1", "train", "peak_rss_bytes", 3.0, "measured"),
        ("a", "s0", "load", "peak_rss_bytes", 1.0, "measured"),
        ("a", "s0", "train", "peak_rss_bytes", 99.0, "predicted"),
    ]
    frame = frames.memory_by_stage(costs(rows))
    assert frame[["stage", "bytes"]].to_numpy().tolist() == [["load", 1.0], ["train", 3.0]]
    assert frame["measure"].unique() == ["process, RSS"]
    rows += [("b", "s0", "train", "peak_cuda_allocated_bytes", 5.0, "measured")]
    with_cuda = frames.memory_by_stage(costs(rows))
    assert with_cuda[["label", "bytes", "measure"]].to_numpy().tolist() == [
        ["b", 5.0, "CUDA, allocated"]
    ]
    assert frames.memory_by_stage(costs(rows).iloc[:0]).empty


def test_losses_are_read_from_the_cells_that_kept_them(tmp_path):
    contents = [
        '{"losses": [0.5, null, 0.25, NaN]}',
        "[1]",
        '{"losses": "x"}',
        '{"losses": [0.',
        "",
    ]
    cells = [cell("textboost", f"s{n}") for n in range(len(contents))]
    run = make_run(tmp_path / "run", [*cells, cell("base", "s0")])
    for made, content in zip(cells[:-1], contents, strict=False):
        (run.folder(made.key).path / "losses.json").write_text(content)
    frame = frames.losses_along_training(run.cell_info(), [run])
    assert frame[["label", "subject", "step", "loss"]].to_numpy().tolist() == [
        ["textboost", "s0", 1, 0.5],
        ["textboost", "s0", 3, 0.25],
    ]
    assert frames.losses_along_training(run.cell_info(), []).empty
    assert frames.losses_along_training([], [run]).empty
