"""Changes between two runs against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from reports.changes import WHOLE_CELL, cost_changes, score_changes, setting_changes
from reports.changes_text import cost_changes_text, relative, score_changes_text
from tests.reports.made_up import cell

ABOUT = {"backbone": "toy", "dataset": "toyworld", "split": "n1", "protocol": "dpm++/25/7.5"}


def scores(values, method="textboost", metric="fidelity", reference="unseen"):
    """Rows for {(subject, prompt, seed): value}."""
    rows = [
        {
            "method": method,
            "preset": "paper",
            **ABOUT,
            "subject": subject,
            "train_seed": 0,
            "prompt_id": prompt,
            "prompt": prompt,
            "seed": seed,
            "image": "x",
            "metric": metric,
            "encoder": "toy-clip",
            "reference": reference,
            "value": value,
        }
        for (subject, prompt, seed), value in values.items()
    ]
    return pd.DataFrame(rows)


def grid(value_of, subjects=8):
    keys = [(f"s{s}", prompt, seed) for s in range(subjects) for prompt in "pq" for seed in (0, 1)]
    return {key: value_of(*key) for key in keys}


def level(subject, prompt, seed):
    """Subjects, prompts and seeds differ a lot: 0.1 per subject, 0.2 per prompt, 0.05 per seed."""
    return 0.1 * int(subject[1:]) + 0.2 * (prompt == "q") + 0.05 * seed


def test_the_change_is_the_mean_of_the_pairs_and_its_interval_knows_of_the_pairing():
    # Subject k gained 0.01 + 0.001 k in every picture; between subjects scores differ by 0.7.
    gain = 0.01 + 0.001 * np.arange(8)
    now = grid(lambda s, p, n: level(s, p, n) + gain[int(s[1:])])
    table = score_changes(scores(now), scores(grid(level)))
    (row,) = table.to_dict("records")
    assert row["before"] == pytest.approx(0.35 + 0.1 + 0.025)
    assert row["change"] == pytest.approx(0.0135)
    assert row["now"] == pytest.approx(row["before"] + 0.0135)
    # The gains' standard error is 0.00087: an interval that ignored the pairs would be wider by
    # a hundred times.
    assert 0.0135 - 0.003 < row["low"] < 0.0135 - 0.0015
    assert 0.0135 + 0.0015 < row["high"] < 0.0135 + 0.003
    assert (row["subjects"], row["pairs"]) == (8, 32)
    assert row["p"] == pytest.approx(2 / 256)  # all eight signs agree
    assert row["verdict"] == "better"


def test_only_pictures_that_both_runs_have_are_compared():
    now, before = grid(level), grid(level)
    # A picture that only one side has would move a mean, never a change.
    del now["s0", "p", 0], before["s7", "q", 1]
    now["s8", "p", 0] = 9.0
    (row,) = score_changes(scores(now), scores(before)).to_dict("records")
    assert (row["change"], row["low"], row["high"]) == pytest.approx((0, 0, 0))
    assert (row["subjects"], row["pairs"], row["verdict"]) == (8, 30, "unchanged")
    assert np.isnan(row["p"])


@pytest.mark.parametrize(
    ("metric", "shift", "verdict"),
    [
        ("fidelity", 0.1, "better"),
        ("fidelity", -0.1, "worse"),
        ("fid", 0.1, "worse"),
        ("fid", -0.1, "better"),
        ("of-another-world", 0.1, "up"),
        ("of-another-world", -0.1, "down"),
    ],
)
def test_better_is_what_the_metric_says(metric, shift, verdict):
    now = grid(lambda *key: level(*key) + shift * (1 + 0.1 * key[2]))
    table = score_changes(scores(now, metric=metric), scores(grid(level), metric=metric))
    assert list(table["verdict"]) == [verdict]


def test_noise_is_not_told_apart_and_few_subjects_get_neither_p_nor_interval():
    random = np.random.default_rng(3)
    now = grid(lambda *key: level(*key) + random.normal(0, 0.05))
    assert list(score_changes(scores(now), scores(grid(level)))["verdict"]) == ["not told apart"]
    few = {key: value for key, value in now.items() if key[0] in ("s0", "s1")}
    (row,) = score_changes(scores(few), scores(grid(level))).to_dict("records")
    assert np.isnan([row["low"], row["high"], row["p"]]).all()
    assert row["verdict"] is None
    assert row["note"] == "interval not computed: 2 subjects, 5 needed"
    assert row["change"] == pytest.approx(
        np.mean([few[key] - level(*key) for key in few])  # balanced: the plain mean
    )


def test_p_is_corrected_for_all_that_changed_and_methods_are_paired_with_themselves():
    def gained(*key):
        return level(*key) + 0.1

    now = pd.concat(
        [scores(grid(gained), m) for m in ("textboost", "dreambooth")]
        + [scores(grid(level), "base"), scores(grid(gained), "only-here")]
    )
    before = pd.concat([scores(grid(level), m) for m in ("textboost", "dreambooth", "base")])
    table = score_changes(now, before).set_index("method")
    assert sorted(table.index) == ["base", "dreambooth", "textboost"]
    assert table.loc["textboost", "p_holm"] == pytest.approx(2 * 2 / 256)
    assert table.loc["base", "verdict"] == "unchanged"


def test_scores_of_whole_cells_are_paired_too():
    whole = {(f"s{s}", None, None): float(s) for s in range(6)}
    more = {key: value + 0.5 for key, value in whole.items()}
    now, before = (
        scores(values, metric="vendi").astype({"seed": "Int64", "prompt_id": "str"})
        for values in (more, whole)
    )
    (row,) = score_changes(now, before).to_dict("records")
    assert (row["change"], row["pairs"]) == (0.5, 6)


def costs(seconds, size=100.0, method="textboost"):
    rows = []
    for place, value in enumerate(seconds):
        about = {"method": method, "preset": "paper", **ABOUT, "train_seed": 0}
        about["subject"] = f"s{place}"
        rows += [
            about | dict(zip(("stage", "measure", "value", "unit", "kind"), cost, strict=True))
            for cost in (
                ("train", "wall_seconds", value, "s", "measured"),
                ("load", "wall_seconds", 1.0, "s", "measured"),
                ("train", "peak_rss_bytes", value * 1e9, "B", "measured"),
                ("load", "peak_rss_bytes", 1e9, "B", "measured"),
                ("score", "wall_seconds", 500.0, "s", "measured"),
                ("score", "peak_rss_bytes", 900e9, "B", "measured"),
                ("save", "checkpoint_bytes", size, "B", "exact"),
            )
        ]
    return pd.DataFrame(rows)


def test_a_cell_with_an_untimed_stage_has_no_sum_of_seconds():
    frame = costs([10.0, 20.0, 30.0])
    first_training = (frame["measure"] == "wall_seconds") & (frame["value"] == 10.0)
    assert first_training.sum() == 1
    table = cost_changes(frame[~first_training], costs([10.0, 20.0, 30.0]), True)
    found = table.set_index(["stage", "measure"]).loc[(WHOLE_CELL, "wall_seconds")]
    assert (found["cells"], found["before"], found["now"]) == pytest.approx((2, 26.0, 26.0))


def test_costs_are_paired_by_cell():
    before = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    table = cost_changes(costs([0.8 * s for s in before]), costs([*before, 999.0]), True)
    found = table.set_index(["stage", "measure"])
    train = found.loc["train", "wall_seconds"]
    assert (train["before"], train["now"]) == pytest.approx((35.0, 28.0))
    assert train["change"] == pytest.approx(-7.0)
    assert train["ratio"] == pytest.approx(0.8)
    assert train["low"] < -7.0 < train["high"] < 0
    assert train["cells"] == 6
    assert found.loc[(WHOLE_CELL, "wall_seconds"), "before"] == pytest.approx(36.0)
    assert found.loc[(WHOLE_CELL, "peak_rss_bytes"), "now"] == pytest.approx(28e9)
    words = cost_changes_text(table).set_index("cost")
    assert words.loc["train: wall_seconds", "relative"] == "-20.0%"
    assert words.loc["train: wall_seconds", "change"].startswith("-7 s [-")
    assert words.loc["save: checkpoint_bytes", "change"] == "none"


def test_seconds_of_another_machine_are_not_compared():
    table = cost_changes(costs([1.0] * 5, size=80.0), costs([2.0] * 5), False)
    assert list(table["measure"]) == ["checkpoint_bytes"]
    assert list(table["ratio"]) == [0.8]


def test_settings_that_differ():
    before = [cell("textboost", "dog_a").to_json(), cell("base", "dog_a").to_json()]
    changed = cell(
        "textboost", "dog_a", settings={"steps": 60, "rank": 4}, compute={"precision": "bf16"}
    )
    table = setting_changes([changed.to_json(), before[1]], before)
    assert table.fillna("missing").to_numpy().tolist() == [
        ["textboost", "toy", "steps", "120", "60"],
        ["textboost", "toy", "learning_rate", "0.0005", "missing"],
        ["textboost", "toy", "compute.precision", "fp32", "bf16"],
        ["textboost", "toy", "rank", "missing", "4"],
    ]


def test_words_name_the_score_and_keep_what_is_missing_missing():
    now = {key: value for key, value in grid(level).items() if key[0] == "s0"}
    changed = scores({key: value + 0.25 for key, value in now.items()})
    words = score_changes_text(score_changes(changed, scores(now)).assign(run="b"))
    (row,) = words.to_dict("records")
    assert row["method"] == "textboost, run b"
    assert row["score"] == "fidelity unseen (toy-clip) ↑"
    assert (row["before"], row["now"], row["change"]) == ("0.125", "0.375", "+0.250")
    assert (row["p"], row["verdict"]) == ("\N{EN DASH}", "\N{EN DASH}")
    assert relative(float("nan")) == "\N{EN DASH}"


def test_a_predicted_cost_is_no_measured_one_by_name():
    names = ("stage", "measure", "value", "unit", "kind")
    rows = [
        ("train", "peak_live_bytes", 5.0, "B", "predicted"),
        ("train", "peak_rss_bytes", 5.0, "B", "measured"),
        ("save", "checkpoint_bytes", 5.0, "B", "exact"),
    ]
    about = {"method": "textboost", "preset": "paper", "subject": "s0", "train_seed": 0, **ABOUT}
    frame = pd.DataFrame([about | dict(zip(names, row, strict=True)) for row in rows])
    shown = set(cost_changes_text(cost_changes(frame, frame, True))["cost"])
    assert {
        "train: peak_live_bytes (predicted)",
        "train: peak_rss_bytes",
        "save: checkpoint_bytes",
    } <= shown
