"""Who is best and who ties, on studies small enough to work out by hand."""

import math

import pandas as pd
import pytest

from reports.leads import leads, untied
from reports.score_tables import score_cells
from reports.tables import best, columns, marked, summary
from reports.verdicts import cautions
from tests.reports.studies import alignment, scores

# Six differences of one sign: of the 64 signs two reach their sum, so p is 2/64 = 0.031.
SIX = [0.5, 0.6, 0.4, 0.5, 0.7, 0.3]


def ahead(values, by):
    return [value + by for value in values]


def found(*parts):
    results = pd.concat(parts, ignore_index=True)
    return {column.title: lead for column, lead in leads(results, summary(results)).items()}


def test_one_comparison_of_six_subjects_tells_two_methods_apart():
    (lead,) = found(scores({"textboost": ahead(SIX, 0.1), "dreambooth": SIX})).values()
    assert lead.first.label == "textboost"
    assert lead.second.score.label == "dreambooth"
    assert lead.second.lead == pytest.approx(0.1)
    assert lead.second.low == pytest.approx(0.1)
    assert lead.second.p_holm == pytest.approx(2 / 64)
    assert lead.second.apart is True
    assert lead.tied == []


def test_the_headlines_comparisons_are_corrected_together():
    """Two of them make 2 x 2/64 = 0.0625 of the same differences, which is not below 0.05."""
    two = {"textboost": ahead(SIX, 0.1), "dreambooth": SIX}
    both = found(scores(two), alignment(two))
    for lead in both.values():
        assert lead.comparisons == 2
        assert lead.second.p_holm == pytest.approx(4 / 64)
        assert [score.label for score in lead.tied] == ["dreambooth"]


def test_a_score_beside_the_headline_takes_nothing_from_it():
    two = {"textboost": ahead(SIX, 0.1), "dreambooth": SIX}
    seen = scores(two, reference="seen")
    both = found(scores(two), seen)
    assert both["fidelity unseen (toy-clip) ↑"].second.apart is True
    assert both["fidelity seen (toy-clip) ↑"].second.apart is True


def test_only_what_is_not_told_apart_is_tied():
    """Eight subjects: the third method lies 0.2 below in all, the second is above in four."""
    first = [0.5, 0.6, 0.4, 0.5, 0.7, 0.3, 0.6, 0.5]
    second = [v + d for v, d in zip(first, [0.02, -0.03] * 4, strict=True)]
    study = {"a": first, "b": second, "c": ahead(first, -0.2)}
    (lead,) = found(scores(study)).values()
    assert [rival.score.label for rival in lead.rivals] == ["b", "c"]
    assert [rival.apart for rival in lead.rivals] == [False, True]
    assert lead.second.lead == pytest.approx(0.005)
    # The third's p is 2/256, times the 2 comparisons.
    assert lead.rivals[1].p_holm == pytest.approx(4 / 256)


def test_lower_is_better_where_it_is():
    study = {"a": SIX, "b": ahead(SIX, 0.25)}
    (lead,) = found(scores(study, metric="kid-x1000")).values()
    assert lead.first.label == "a"
    assert lead.second.lead == pytest.approx(0.25)
    assert lead.second.low == pytest.approx(0.25)
    assert lead.second.apart is True


@pytest.mark.parametrize(("subjects", "interval"), [(3, False), (5, True)])
def test_too_few_subjects_are_not_judged(subjects, interval):
    study = {"a": ahead(SIX, 0.1)[:subjects], "b": SIX[:subjects]}
    (lead,) = found(scores(study)).values()
    assert lead.second.apart is None
    assert not lead.judged
    assert lead.tied == []
    assert math.isnan(lead.second.p_holm)
    assert math.isnan(lead.second.low) is not interval


def test_controls_and_methods_that_lack_subjects_do_not_compete():
    study = {"a": ahead(SIX, 0.1), "b": SIX, "oracle": ahead(SIX, 0.3)}
    study["c"] = [*ahead(SIX, 0.2)[:5], None]
    (lead,) = found(scores(study)).values()
    assert lead.first.label == "a"
    assert [rival.score.label for rival in lead.rivals] == ["b"]


def test_one_method_leads_nothing():
    assert found(scores({"a": SIX, "base": SIX})) == {}


def test_methods_without_a_common_subject_do_not_compete():
    apart = {"a": [*SIX, *[None] * 6], "b": [*[None] * 6, *ahead(SIX, 0.1)]}
    assert found(scores(apart)) == {}


def test_a_difference_that_seeds_could_have_made_tells_nothing_apart():
    """Every subject differs by 0.05, so p is 2/64; its two seeds differ by +1.0 and -0.9."""
    noisy = [scores({"a": [v + by for v in SIX]}, seed=n) for n, by in enumerate([1.0, -0.9])]
    (lead,) = found(*noisy, *(scores({"b": SIX}, seed=n) for n in range(2))).values()
    assert lead.second.lead == pytest.approx(0.05)
    assert lead.second.p_holm == pytest.approx(2 / 64)
    assert lead.second.low < 0 < lead.second.high
    assert lead.second.apart is False


def test_as_many_but_other_subjects_are_no_rivals():
    """b is better on all eight that both have; its mean is lower by the subjects a lacks."""
    a = [0.9] * 4 + [0.5] * 8 + [None] * 4
    b = [None] * 4 + [0.6] * 8 + [0.1] * 4
    results = scores({"a": a, "b": b})
    table = summary(results)
    (column,) = columns(table)
    assert leads(results, table) == {}
    assert best(table, column) == []
    assert any("b was scored on other subjects" in said for said in cautions(table))


def test_the_set_of_subjects_that_more_methods_share_counts():
    """Three sets of six subjects; two methods share the second."""
    a = [*ahead(SIX, 0.3), None]
    results = scores({"a": a, "b": [None, *SIX], "c": [None, *ahead(SIX, 0.1)]})
    (lead,) = leads(results, summary(results)).values()
    assert lead.first.label == "c"
    assert [rival.score.label for rival in lead.rivals] == ["b"]
    assert lead.second.apart is True


def test_a_sure_difference_against_the_best_is_no_lead():
    """A table whose mean of a was changed by hand."""
    results = scores({"a": SIX, "b": ahead(SIX, 0.1)})
    table = summary(results)
    table.loc[table["label"] == "a", "mean"] = 0.9
    (lead,) = leads(results, table).values()
    assert lead.first.label == "a"
    assert lead.second.high < 0
    assert lead.second.apart is False


def test_a_best_that_shares_pictures_of_few_subjects_says_why_no_tie_is_marked():
    """Each has six subjects; pictures of both are there of three."""
    parts = [
        scores({"a": SIX[:3], "b": ahead(SIX[:3], 0.1)}),
        scores({"a": [None] * 3 + SIX[3:]}, prompt_id="q"),
        scores({"b": [None] * 3 + SIX[3:]}, prompt_id="r"),
    ]
    results = pd.concat(parts, ignore_index=True)
    table = summary(results)
    ((column, lead),) = leads(results, table).items()
    assert (marked(table, column), lead.judged) == (["b"], False)
    said = "Ties are not marked where methods share fewer than 6 subjects: no test."
    assert untied(table, [lead]) == said
    whole = scores({"a": SIX, "b": ahead(SIX, 0.1)})
    assert untied(summary(whole), leads(whole, summary(whole)).values()) == ""


def test_all_equal_means_are_best():
    results = scores({"a": SIX, "b": SIX, "c": ahead(SIX, -0.2)})
    table = summary(results)
    ((column, lead),) = leads(results, table).items()
    ranks = {label: cell.rank for label, cell in score_cells(table, column, lead).items()}
    # Two comparisons make 2 x 2/64 of the third: not below 0.05.
    assert ranks == {"a": "best", "b": "best", "c": "tied"}
