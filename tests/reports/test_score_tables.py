"""The tables of scores hold the numbers of the study."""

import math

import pandas as pd
import pytest

from reports import score_tables
from reports.naming import Naming
from reports.tables import summary
from tests.reports.studies import alignment, costs, scores

FIRST = [0.5, 0.6, 0.4, 0.5, 0.7, 0.3, 0.6, 0.5]
SECOND = [v + d for v, d in zip(FIRST, [0.02, -0.03] * 4, strict=True)]
FAR = [v - 0.2 for v in FIRST]


@pytest.fixture(scope="module")
def study():
    fidelity = {"a": FIRST, "b": SECOND, "c": FAR, "base": [v - 0.3 for v in FIRST]}
    ceiling = scores(
        dict.fromkeys(fidelity, [0.8] * 8),
        metric="fidelity-ceiling",
        **{"prompt_id": None, "seed": None, "image": None},
    )
    parts = [
        scores(fidelity),
        scores(fidelity, reference="seen"),
        alignment({"a": FAR, "b": FIRST, "c": FAR}),
        # A second prompt that only subject s0 was made with.
        scores({"a": [0.9], "b": [0.1]}, prompt_id="q"),
        ceiling,
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def table(study):
    return summary(study)


def by_label(made):
    return {row[0].value: row[1:] for row in made.rows()}


def main(study, table, columns=None, naming=None, spent=None):
    spent = costs([]).reindex(columns=["label"]) if spent is None else spent
    return score_tables.main_table(study, table, spent, columns, naming or Naming())


def test_rows_columns_and_counts_of_the_main_table(study, table):
    made = main(study, table)
    assert [head.title for head in made.heads] == [
        *("method", "subjects", "images"),
        *("fidelity unseen (toy-clip) ↑", "fidelity seen (toy-clip) ↑", "alignment (toy-clip) ↑"),
    ]
    rows = by_label(made)
    assert list(rows) == ["a", "b", "c", "base", "real photos (seen to unseen)"]
    assert made.rules == (3, 4)
    assert [cell.number for cell in rows["a"][:2]] == ["8", "9"]
    assert [cell.number for cell in rows["base"][:2]] == ["8", "8"]
    assert rows["real photos (seen to unseen)"][1].missing
    assert rows["real photos (seen to unseen)"][2].value == pytest.approx(0.8)


def test_means_are_over_subjects_and_seen_stands_apart(study, table):
    """s0 has the prompts p and q: its mean is 0.7 for a, where q is 0.9."""
    row = by_label(main(study, table))["a"]
    assert row[2].value == pytest.approx((sum(FIRST) + 0.2) / 8)
    assert row[3].value == pytest.approx(sum(FIRST) / 8)
    assert row[2].low < row[2].value < row[2].high


def test_the_best_and_its_ties_are_marked_and_nothing_else(study, table):
    rows = by_label(main(study, table))
    ranks = {label: [cell.rank for cell in cells[2:]] for label, cells in rows.items()}
    assert ranks["a"] == ["best", "best", ""]
    assert ranks["b"] == ["tied", "tied", "best"]
    assert ranks["c"] == ["", "", ""]
    assert ranks["base"] == ["", "", ""]


def test_the_notes_say_how_ties_were_found_and_what_the_yardsticks_are(study, table):
    notes = " ".join(main(study, table).notes)
    # Three methods: two comparisons in each of two headline scores, and two in the other.
    assert "4 of headline scores and 2 of all other scores" in notes
    for said in ("base is the backbone", "Real photos", "Controls", "Seen compares"):
        assert said in notes
    bare = main(study, table, ["alignment"]).notes
    assert not any("Seen compares" in note for note in bare)
    assert any("over the comparisons, 4 of headline scores." in note for note in bare)


def test_few_subjects_have_no_intervals_and_no_marks(study):
    few = study[study["subject"].isin(["s0", "s1", "s2"])]
    made = main(few, summary(few))
    assert made.caption == "Means over subjects, without intervals."
    ranks = {cell.rank for row in made.rows() for cell in row}
    assert ranks == {""}
    assert "No best method is marked: that needs 6 subjects." in made.notes
    assert not any("Ties" in note for note in made.notes)
    assert not any(cell.interval for row in made.rows() for cell in row)


def test_five_subjects_mark_no_best_in_any_format(study):
    from reports.data_files import csv_text, json_text
    from reports.latex import latex
    from reports.markup import html, markdown

    few = study[study["subject"].isin([f"s{number}" for number in range(5)])]
    made = main(few, summary(few))
    for write, mark in ((latex, r"\textbf"), (markdown, "**"), (html, "<strong>")):
        text = write(made)
        assert mark not in text
        assert "that needs 6 subjects" in text
        assert mark in write(main(study, summary(study)))
    assert "mark" not in csv_text(made)
    assert "rank" not in json_text(made)


def test_costs_stand_beside_scores_where_they_are_chosen(study, table):
    spent = costs([("a", "s0", "save", "checkpoint_bytes", 2e6, "exact")])
    made = main(study, table, ["checkpoint", "alignment"], spent=spent)
    assert [head.title for head in made.heads[3:]] == ["checkpoint", "alignment (toy-clip) ↑"]
    rows = by_label(made)
    assert rows["a"][2].number == "2 MB"
    assert rows["b"][2].missing


def test_names_and_order_are_the_readers(study, table):
    naming = Naming({"c": "Third", "a": "First"})
    assert list(by_label(main(study, table, naming=naming)))[:4] == ["Third", "First", "b", "base"]
    titles = [head.title for head in score_tables.subject_tables(study, table, naming)[0].heads[1:]]
    assert titles == ["Third", "First", "b", "base"]


def test_subject_tables_are_one_per_headline_score_and_end_with_the_mean(study, table):
    first, second = score_tables.subject_tables(study, table)
    assert [made.name for made in (first, second)] == ["subjects_1", "subjects_2"]
    rows = by_label(first)
    assert list(rows) == [*(f"s{number}" for number in range(8)), "mean"]
    assert rows["s0"][0].value == pytest.approx(0.7)
    assert rows["s1"][1].value == pytest.approx(SECOND[1])
    assert rows["mean"][2].value == pytest.approx(sum(FAR) / 8)
    assert {head.title for head in second.heads} == {"subject", "a", "b", "c"}


def test_prompt_tables_have_means_over_the_subjects_of_the_prompt(study, table):
    first, _ = score_tables.prompt_tables(study, table)
    rows = by_label(first)
    assert list(rows) == ["p", "q"]
    assert [cell.number for cell in rows["q"][:3]] == ["1", "0.900", "0.100"]
    assert rows["q"][3].missing
    assert math.isnan(rows["q"][1].low)
    assert rows["p"][1].value == pytest.approx(sum(FIRST) / 8)
    assert rows["p"][1].low < rows["p"][1].value
