"""Tables of scores: what is a row, what is a column, and who may win."""

import numpy as np
import pandas as pd
import pytest

from reports import tables
from tests.reports.studies import alignment, scores

UNSEEN = "fidelity unseen (efficientnet-lite0) ↑"


def tidy(values, **columns):
    """Rows of results from {(method, subject): value}, one image each."""
    records = [
        {
            "method": method,
            "preset": "toy",
            "backbone": "toy",
            "dataset": "toyworld",
            "split": "n1",
            "subject": subject,
            "train_seed": 0,
            "prompt_id": "p",
            "prompt": "a dog",
            "seed": 0,
            "image": "p-0.png",
            "protocol": "dpm++/25/7.5",
            "metric": "fidelity",
            "encoder": "toy-clip",
            "reference": "unseen",
            "value": value,
        }
        | columns
        for (method, subject), value in values.items()
    ]
    return pd.DataFrame(records)


def test_columns_carry_metric_reference_encoder_and_direction(results):
    titles = [column.title for column in tables.columns(tables.summary(results))]
    assert titles == [
        UNSEEN,
        "fidelity unseen (toy-clip) ↑",
        "fidelity seen (efficientnet-lite0) ↑",
        "fidelity seen (toy-clip) ↑",
        "alignment (toy-clip) ↑",
        "diversity (efficientnet-lite0) ↑",
        "diversity (toy-clip) ↑",
        "vendi (efficientnet-lite0) ↑",
        "vendi (toy-clip) ↑",
    ]


def test_rows_are_methods_by_rank_then_controls_then_real_photos(results):
    table = tables.comparison(results)
    assert table["label"].tolist() == [
        "dreambooth",
        "textboost",
        "textual-inversion",
        "base",
        "copy",
        "oracle",
        "real photos (seen to unseen)",
        "real photos (within unseen)",
    ]


def test_values_are_means_over_subjects(results):
    table = tables.comparison(results).set_index("label")
    rows = results[
        (results["method"] == "textboost")
        & (results["metric"] == "fidelity")
        & (results["reference"] == "unseen")
        & (results["encoder"] == "efficientnet-lite0")
    ]
    expected = rows.groupby("subject")["value"].mean().mean()
    assert table.loc["textboost", UNSEEN] == pytest.approx(expected)
    assert table.loc["textboost", f"{UNSEEN} low"] < expected
    assert table.loc["textboost", f"{UNSEEN} high"] > expected
    assert table.loc["textboost", ["subjects", "images"]].tolist() == [6, 24]


def test_real_photos_count_each_subject_once_however_many_methods_repeat_them():
    values = {("base", "s1"): 0.4, ("base", "s2"): 0.8, ("dreambooth", "s2"): 0.8}
    ceiling = tidy(values, metric="fidelity-ceiling", seed=None, prompt_id=None, image=None)
    table = tables.comparison(pd.concat([tidy(values), ceiling])).set_index("label")
    row = table.loc["real photos (seen to unseen)"]
    assert row["fidelity unseen (toy-clip) ↑"] == pytest.approx(0.6)
    assert row["subjects"] == 2
    assert pd.isna(row["images"])


def test_a_score_that_did_not_run_is_missing_not_zero():
    """Trap 5: 0.000 printed for a metric that did not run."""
    values = {("dreambooth", "s1"): 0.4, ("textboost", "s1"): 0.5}
    vendi = tidy({("textboost", "s1"): 2.0}, metric="vendi", reference=None, seed=None)
    table = tables.comparison(pd.concat([tidy(values), vendi])).set_index("label")
    assert np.isnan(table.loc["dreambooth", "vendi (toy-clip) ↑"])
    assert table.loc["textboost", "vendi (toy-clip) ↑"] == 2.0


def test_presets_of_one_method_never_share_a_row():
    frame = pd.concat(
        [tidy({("dreambooth", "s1"): 0.2}), tidy({("dreambooth", "s1"): 0.6}, preset="paper")]
    )
    table = tables.comparison(frame).set_index("label")["fidelity unseen (toy-clip) ↑"]
    assert table.to_dict() == {"dreambooth (paper)": 0.6, "dreambooth (toy)": 0.2}


def test_encoders_never_share_a_column():
    frame = pd.concat(
        [tidy({("dreambooth", "s1"): 0.2}), tidy({("dreambooth", "s1"): 0.6}, encoder="other")]
    )
    row = tables.comparison(frame).iloc[0]
    assert row["fidelity unseen (toy-clip) ↑"] == 0.2
    assert row["fidelity unseen (other) ↑"] == 0.6


def test_controls_do_not_compete():
    frame = tidy({("oracle", "s"): 0.9, ("dreambooth", "s"): 0.5, ("textboost", "s"): 0.4})
    table = tables.summary(frame)
    (column,) = tables.columns(table)
    assert tables.best(table, column) == ["dreambooth"]


def test_the_best_is_marked_from_six_subjects_on_column_by_column():
    five, six = {"a": [0.5] * 5, "b": [0.6] * 5}, {"a": [0.5] * 6, "b": [0.6] * 6}
    table = tables.summary(pd.concat([scores(five), alignment(six)], ignore_index=True))
    few, enough = tables.columns(table)
    assert tables.best(table, few) == tables.best(table, enough) == ["b"]
    assert tables.marked(table, few) == []
    assert tables.marked(table, enough) == ["b"]
    none = "No best method is marked: that needs 6 subjects."
    some = "No best method is marked in a column of fewer than 6 subjects."
    said = [tables.unmarked(table, shown) for shown in ([few], [enough], [few, enough], [])]
    assert said == [none, "", some, ""]


def test_a_column_over_fewer_subjects_than_its_row_says_so():
    """As of precision, which some subjects have too few photos for."""
    six, four = {"a": [0.5] * 6, "b": [0.6] * 6}, {"a": [0.5] * 4, "b": [0.6] * 4}
    table = tables.summary(pd.concat([scores(six), alignment(four)], ignore_index=True))
    whole, part = tables.columns(table)
    assert tables.over_fewer(table, [whole]) == ""
    assert tables.over_fewer(table, [whole, part]) == (
        "Over fewer subjects than the row: 4 of 6: alignment (toy-clip)."
    )
    wide = tables.wide(table)
    assert wide["subjects"].tolist() == [6, 6]
    assert wide[f"{part.title} subjects"].tolist() == [4, 4]
    assert f"{whole.title} subjects" not in wide
    # A method that has fewer subjects in all columns is a row of fewer.
    short = tables.summary(scores({"a": [0.5] * 6, "b": [0.6] * 4}))
    assert tables.over_fewer(short, tables.columns(short)) == ""


def test_a_method_that_lacks_a_subject_is_not_best():
    values = {("dreambooth", "s1"): 0.9, ("textboost", "s1"): 0.5, ("textboost", "s2"): 0.5}
    values |= {("textual-inversion", "s1"): 0.4, ("textual-inversion", "s2"): 0.4}
    table = tables.summary(tidy(values))
    (column,) = tables.columns(table)
    assert tables.best(table, column) == ["textboost"]


def test_a_method_alone_wins_nothing():
    table = tables.summary(tidy({("dreambooth", "s"): 0.5, ("base", "s"): 0.4}))
    (column,) = tables.columns(table)
    assert tables.best(table, column) == []


def test_a_metric_nobody_knows_has_no_arrow_and_no_winner():
    frame = tidy({("dreambooth", "s"): 0.5, ("textboost", "s"): 0.4}, metric="sparkle")
    table = tables.summary(frame)
    (column,) = tables.columns(table)
    assert column.title == "sparkle unseen (toy-clip)"
    assert tables.best(table, column) == []


def test_headline_is_held_out_fidelity_and_alignment(results):
    titles = [column.title for column in tables.headline(tables.summary(results))]
    assert titles == [UNSEEN, "fidelity unseen (toy-clip) ↑", "alignment (toy-clip) ↑"]


def test_headline_without_held_out_photos_takes_the_training_ones():
    table = tables.summary(tidy({("dreambooth", "s"): 0.5}, reference="seen"))
    assert [column.name for column in tables.headline(table)] == ["fidelity seen"]


def test_differences_leave_out_other_controls_and_side_scores(results):
    differences = tables.differences(results, tables.summary(results))
    assert set(differences["label"]) == {"dreambooth", "textboost", "textual-inversion"}
    assert set(differences["metric"]) == {"fidelity", "alignment"}
    assert set(differences["reference"].dropna()) == {"unseen"}
    row = differences.set_index(["label", "metric", "encoder"]).loc[
        ("textboost", "fidelity", "toy-clip")
    ]
    assert row["difference"] == pytest.approx(0.58 - 0.40, abs=0.03)
    assert row["p"] == pytest.approx(2 / 64)


def test_without_base_there_are_no_differences(results):
    trained = results[results["method"] != "base"]
    assert tables.differences(trained, tables.summary(trained)).empty
