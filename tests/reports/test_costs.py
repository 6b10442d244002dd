"""Cost and settings tables."""

import pandas as pd
import pytest

from reports import cost_figures, costs, fact_tables
from reports.format import MISSING, NOT_MEASURED


def tidy(rows):
    names = ("method", "subject", "stage", "measure", "value")
    frame = pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows])
    return frame.assign(preset="toy", backbone="toy", dataset="toyworld", split="n1", train_seed=0)


ROWS = [
    ("dreambooth", "a", "train", "wall_seconds", 10.0),
    ("dreambooth", "b", "train", "wall_seconds", 14.0),
    ("dreambooth", "a", "train", "peak_rss_bytes", 2e9),
    ("dreambooth", "b", "train", "peak_rss_bytes", 1e9),
    ("dreambooth", "b", "generate", "peak_rss_bytes", 3e9),
    ("dreambooth", "a", "train", "trainable_parameters", 5_600_000),
    ("base", "a", "generate", "wall_seconds", 2.0),
]


def test_times_are_means_and_peaks_the_highest():
    table = costs.cost_table(tidy(ROWS)).set_index("label")
    row = table.loc["dreambooth"]
    assert row["train (s)"] == pytest.approx(12.0)
    assert row["peak RSS (B)"] == 3e9
    assert row["peak RSS in training (B)"] == 2e9
    assert row["cells"] == 2


def test_controls_come_last():
    assert costs.cost_table(tidy(ROWS))["label"].tolist() == ["dreambooth", "base"]


def test_a_stage_that_a_method_lacks_is_told_from_a_figure_that_was_not_taken():
    text = costs.cost_text(costs.cost_table(tidy(ROWS)), tidy(ROWS)).set_index("method")
    assert text.loc["base", "train"] == MISSING
    assert text.loc["base", "trainable parameters"] == MISSING
    assert text.loc["dreambooth", "peak CUDA allocated"] == NOT_MEASURED
    assert text.loc["base", "peak RSS"] == NOT_MEASURED
    assert text.loc["dreambooth", "trainable parameters"] == "5.6M"
    assert text.loc["dreambooth", "train"] == "12 s"


def test_a_stage_that_ran_without_a_time_is_not_measured():
    rows = tidy([row for row in ROWS if row[3] != "wall_seconds"])
    text = costs.cost_text(costs.cost_table(rows), rows).set_index("method")
    assert text.loc["dreambooth", "train"] == NOT_MEASURED
    assert text.loc["dreambooth", "prepare"] == MISSING


def test_seconds_without_the_cells_that_stood_still_say_so():
    assert cost_figures.stood_still(tidy(ROWS)) == []
    paused = [row for row in ROWS if row[:4] != ("dreambooth", "a", "train", "wall_seconds")]
    rows = tidy([*paused, ("dreambooth", "a", "train", "pauses", 1)])
    (said,) = cost_figures.cost_notes(rows)
    assert said.endswith("seconds are of the rest: dreambooth (train: 1).")
    assert said in fact_tables.costs_in_cells(rows.assign(kind="measured", unit="s")).notes


def test_missing_costs_are_missing_in_the_numbers_too():
    table = costs.cost_table(tidy(ROWS)).set_index("label")
    assert pd.isna(table.loc["base", "peak CUDA allocated (B)"])


def test_presets_have_rows_of_their_own():
    frame = pd.concat([tidy(ROWS[:1]), tidy(ROWS[:1]).assign(preset="paper", value=99.0)])
    table = costs.cost_table(frame).set_index("label")
    assert table["train (s)"].to_dict() == {"dreambooth (paper)": 99.0, "dreambooth (toy)": 10.0}


def test_rows_say_which_machine_they_are_from_where_there_are_several():
    one, other = tidy(ROWS), tidy([("textboost", "a", "train", "wall_seconds", 3.0)])
    both = pd.concat([one.assign(machine="a"), other.assign(machine="b")], ignore_index=True)
    table = costs.cost_table(both).set_index("label")
    assert table["machine"].to_dict() == {"dreambooth": "a", "textboost": "b", "base": "a"}
    both.loc[(both["method"] == "dreambooth") & (both["subject"] == "b"), "machine"] = "b"
    assert costs.cost_table(both).set_index("label").loc["dreambooth", "machine"] == "several"
    assert "machine" not in costs.cost_table(one)
    assert "machine" not in costs.cost_table(one.assign(machine="a"))


def test_settings_stand_side_by_side():
    shared = {"backbone": "toy", "dataset": "toyworld", "split": "n1", "protocol": "p"}
    cells = [
        shared | {"method": "base", "preset": "paper", "settings": {}},
        shared
        | {
            "method": "textboost",
            "preset": "toy",
            "settings": {"steps": 120, "learning_rate": 5e-5, "crop": [0.5, 1.0]},
        },
        shared | {"method": "dreambooth", "preset": "toy", "settings": {"steps": 80}},
    ]
    table = costs.settings_table(cells).set_index("setting")
    assert list(table.columns) == ["dreambooth", "textboost", "base"]
    assert table.loc["steps", ["dreambooth", "textboost"]].tolist() == ["80", "120"]
    assert table.loc["learning_rate", "textboost"] == "5e-05"
    assert table.loc["crop", "textboost"] == "0.5, 1"
    assert pd.isna(table.loc["learning_rate", "dreambooth"])
    assert table.loc["preset"].tolist() == ["toy", "toy", "paper"]
