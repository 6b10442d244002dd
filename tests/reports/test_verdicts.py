"""Sentences say what the numbers say, and nothing when there is nothing to say."""

import pandas as pd
import pytest

from reports import verdicts
from reports.leads import leads
from reports.naming import Naming
from reports.tables import differences, summary
from tests.reports.studies import alignment, scores

EIGHT = [0.5, 0.6, 0.4, 0.5, 0.7, 0.3, 0.6, 0.5]


def ahead(by, values=EIGHT):
    return [value + by for value in values]


def said(*parts, naming=None):
    results = pd.concat(parts, ignore_index=True)
    table = summary(results)
    return verdicts.verdict(leads(results, table), table, *([naming] if naming else []))


@pytest.fixture(scope="module")
def table(results):
    return summary(results)


def change(results, method, metric, value, reference=None):
    """The results with one method's scores of one metric replaced."""
    chosen = (results["method"] == method) & (results["metric"] == metric)
    if reference is not None:
        chosen &= results["reference"] == reference
    return results.assign(value=results["value"].mask(chosen, value))


def test_names_the_leader_its_interval_and_what_stands_beside_it(results, table):
    said = verdicts.verdicts(table, differences(results, table))
    assert len(said) == 3
    assert said[0].startswith(
        "fidelity unseen (efficientnet-lite0): dreambooth is highest of 3 methods at 0.5"
    )
    assert "95% interval" in said[0]
    assert "6 subjects" in said[0]
    assert "oracle 0." in said[0]
    assert "real photos (seen to unseen) 0." in said[0]
    # With 6 subjects p is 1/32 at least, and 9 comparisons make 9/32 of it.
    assert "0 of 3 methods lie above it and 0 below it (95% interval without 0, and p" in said[0]
    alone = "by the interval alone, 3 lie above it and 0 below it."
    assert f"after correction for 9 comparisons); {alone}" in said[0]
    assert "textboost is highest" in said[2]


def test_says_when_the_leaders_interval_overlaps_another(results):
    close = change(results, "textboost", "fidelity", 0.572, "unseen")
    table = summary(close)
    said = verdicts.verdicts(table, differences(close, table))
    assert "its interval overlaps that of textboost" in said[0]


def test_says_when_methods_fall_below_base(results):
    twice = pd.concat([results, results.assign(subject=results["subject"] + "_again")])
    worse = change(twice, "textboost", "alignment", 0.1)
    table = summary(worse)
    said = verdicts.verdicts(table, differences(worse, table))
    assert "3 of 3 methods lie above it and 0 below it (95% interval without 0" in said[0]
    assert "0 of 3 methods lie above it and 3 below" in said[2]
    assert "by the interval alone" not in said[2]
    few = change(results, "textboost", "alignment", 0.1)
    table = summary(few)
    said = verdicts.verdicts(table, differences(few, table))
    assert "by the interval alone, 0 lie above it and 3 below it." in said[2]


def test_a_method_that_lacks_subjects_is_not_ranked_and_said_so(results):
    lost = (results["method"] == "dreambooth") & (results["subject"] == "dog_a")
    table = summary(results[~lost])
    assert "textboost is highest of 2 methods" in verdicts.verdicts(table, pd.DataFrame())[0]
    caution = verdicts.cautions(table)[0]
    assert caution.startswith("dreambooth was scored on 5 of 6 subjects")


def test_few_subjects_get_a_caution_and_no_interval(results):
    few = results[results["subject"].isin(["dog_a", "dog_b"])]
    table = summary(few)
    assert "Interval not computed: 2 subjects, 5 needed." in verdicts.cautions(table)
    said = verdicts.verdicts(table, differences(few, table))
    assert "interval" not in said[0]
    assert "Paired" not in said[0]


def test_one_method_alone_leads_nothing(results):
    alone = summary(results[results["method"].isin(["textboost", "base"])])
    assert verdicts.verdicts(alone, pd.DataFrame()) == []


def test_controls_in_their_ranks(table):
    checks = verdicts.control_checks(table)
    claims = {check.claim for check in checks}
    assert all(check.held for check in checks)
    assert "oracle above base in fidelity unseen (toy-clip)" in claims
    assert "textboost above base in fidelity unseen (efficientnet-lite0)" in claims
    assert "copy highest of all in fidelity seen (toy-clip)" in claims
    assert "oracle above copy in alignment (toy-clip)" in claims
    assert "base above copy in alignment (toy-clip)" in claims


@pytest.mark.parametrize(
    ("method", "metric", "value", "reference", "claim"),
    [
        ("oracle", "fidelity", 0.1, "unseen", "oracle above base in fidelity unseen (toy-clip)"),
        ("copy", "alignment", 0.9, None, "base above copy in alignment (toy-clip)"),
        ("copy", "fidelity", 0.5, "seen", "copy highest of all in fidelity seen (toy-clip)"),
        (
            "textboost",
            "fidelity",
            0.2,
            "unseen",
            "textboost above base in fidelity unseen (toy-clip)",
        ),
    ],
)
def test_a_control_out_of_rank_is_reported(results, method, metric, value, reference, claim):
    table = summary(change(results, method, metric, value, reference))
    checks = {check.claim: check for check in verdicts.control_checks(table)}
    assert not checks[claim].held


def test_checks_need_both_sides(results):
    table = summary(results[results["method"].isin(["textboost", "dreambooth"])])
    assert verdicts.control_checks(table) == []


def test_a_metric_that_ranks_wrongly_says_so_where_it_is_shown(table):
    (said,) = verdicts.metric_cautions(table)
    assert said.startswith("Diversity cannot tell variety from error")
    assert said not in verdicts.cautions(table)
    without = table[table["metric"] != "diversity"]
    assert verdicts.metric_cautions(without) == []


RULE = (
    "paired by subject: 95% interval without 0, and p below 0.05 after Holm's correction for "
    "2 comparisons"
)


def short(*studies):
    table = summary(pd.concat(studies, ignore_index=True))
    return verdicts.in_short(leads(pd.concat(studies, ignore_index=True), table), table)


def test_the_verdict_in_short():
    win = {"a": ahead(0.1), "b": EIGHT}
    other = {"a": EIGHT, "b": ahead(0.2)}
    close = [v + d for v, d in zip(EIGHT, [0.03, -0.02] * 4, strict=True)]
    tie = {"a": close, "b": EIGHT}
    few = {"a": ahead(0.1)[:4], "b": EIGHT[:4]}
    best = "is clearly best in"
    assert short(scores(win)) == f"a {best} the headline score, over 8 subjects."
    assert short(scores(win), alignment(win)) == f"a {best} all 2 headline scores, over 8 subjects."
    assert short(scores(win), alignment(other)) == (
        f"a {best} 1 of 2 headline scores and b {best} 1 of 2 headline scores, over 8 subjects."
    )
    assert (
        short(scores(win), alignment(tie)) == f"a {best} 1 of 2 headline scores, over 8 subjects."
    )
    assert short(scores(tie)) == "No method is clearly best in the headline score, over 8 subjects."
    assert short(scores(few)) == "No method can be called best: 4 subjects are too few."
    one = {"a": [0.6], "b": [0.5]}
    assert short(scores(one)) == "No method can be called best: 1 subject is too few."
    table = summary(scores(one))
    assert "(1 subject)." in verdicts.verdicts(table, pd.DataFrame())[0]
    assert short(scores({"a": EIGHT, "base": EIGHT})) is None


def test_verdict_of_a_clear_win():
    """Every subject differs by the same, so the intervals are points, and p is 2 x 2/256."""
    fidelity = scores({"textboost": ahead(0.1), "dreambooth": EIGHT, "base": ahead(-0.2)})
    aligned = alignment({"textboost": ahead(0.05), "dreambooth": EIGHT})
    assert said(fidelity, aligned) == (
        "textboost has the best mean of 2 methods in all 2 headline scores: by 0.100 [0.100 to "
        "0.100] over dreambooth in fidelity unseen (toy-clip) and by 0.050 [0.050 to 0.050] over "
        "dreambooth in alignment (toy-clip) (8 subjects).",
        f"The best method is told apart from every other in 2 of 2 headline scores ({RULE}).",
    )


def test_verdict_of_a_tie():
    """Four subjects above and four below: nobody is told apart."""
    close = [v + d for v, d in zip(EIGHT, [0.03, -0.02] * 4, strict=True)]
    first, second = said(scores({"a": close, "b": EIGHT}))
    assert first.startswith(
        "a has the best mean of 2 methods in the one headline score: by 0.005 [-0.0"
    )
    assert second == (
        "The best method is not told apart from every other in the one headline score ("
        + RULE.replace("2 comparisons", "1 comparison")
        + "); in fidelity unseen (toy-clip) a is not told apart from b."
    )


def test_verdict_of_a_mixed_study():
    fidelity = scores({"a": ahead(0.1), "b": EIGHT})
    aligned = alignment({"a": EIGHT, "b": ahead(0.2)})
    first, second = said(fidelity, aligned)
    assert first == (
        "No one of 2 methods has the best mean in all 2 headline scores: a leads by 0.100 [0.100 "
        "to 0.100] over b in fidelity unseen (toy-clip) and b leads by 0.200 [0.200 to 0.200] over "
        "a in alignment (toy-clip) (8 subjects)."
    )
    assert "2 of 2 headline scores" in second


def test_verdict_of_methods_that_are_level():
    first, second = said(scores({"a": EIGHT, "b": EIGHT}))
    assert first == (
        "No one of 2 methods has the best mean in the one headline score: a and b are level at "
        "0.512 in fidelity unseen (toy-clip) (8 subjects)."
    )
    assert "is not told apart from b" in second


def test_methods_that_are_level_over_their_common_pictures_alone_have_no_common_mean():
    """Of one some trainings failed, and the other's were better for it."""
    both = scores({"a": EIGHT, "b": EIGHT})
    more = scores({"a": ahead(0.1)}).assign(train_seed=1)
    first, _ = said(pd.concat([both, more], ignore_index=True))
    assert "a and b are level over the pictures that both have in fidelity unseen" in first


@pytest.mark.parametrize(
    ("subjects", "span", "second"),
    [
        (
            3,
            "",
            "3 subjects cannot tell this from chance: an interval needs 5 subjects, a p-value "
            "needs 6.",
        ),
        (5, " [0.100 to 0.100]", "5 subjects cannot tell this from chance: a p-value needs 6."),
    ],
)
def test_verdict_of_too_few_subjects(subjects, span, second):
    study = {"a": ahead(0.1)[:subjects], "b": EIGHT[:subjects]}
    assert said(scores(study)) == (
        f"a has the best mean of 2 methods in the one headline score: by 0.100{span} over b in "
        f"fidelity unseen (toy-clip) ({subjects} subjects).",
        second,
    )


def test_verdict_judges_the_scores_with_subjects_enough_and_names_the_others():
    clear = scores({"a": ahead(0.1), "b": EIGHT})
    few = alignment({"a": ahead(0.1)[:4], "b": EIGHT[:4]})
    _, second = said(clear, few)
    assert second.startswith(
        "The best method is told apart from every other in the one headline score with subjects "
        "enough (paired by subject:"
    )
    assert second.endswith(
        "; 4 subjects cannot tell the lead in alignment (toy-clip) from chance: an interval needs "
        "5 subjects, a p-value needs 6."
    )


def test_verdict_names_who_is_left_out_and_counts_what_it_does_not_list():
    study = {name: ahead(by / 100) for by, name in enumerate("fedcba")}
    study["a"] = [v + d for v, d in zip(study["b"], [0.2, -0.18] * 4, strict=True)]
    study["late"] = [*EIGHT[:7], None]
    _, second = said(scores(study))
    assert "a is not told apart from b, c, d and 2 more; left out for want of subjects" in second
    assert second.endswith(": late.")


def test_verdict_counts_the_scores_it_does_not_list():
    study = {"a": ahead(0.1), "b": EIGHT}
    first, _ = said(*(scores(study, encoder=name) for name in "vwxyz"))
    assert "in all 5 headline scores" in first
    assert first.endswith("over b in fidelity unseen (x) and in 2 more scores (8 subjects).")


def test_verdict_calls_methods_as_the_reader_does_and_cuts_long_names():
    study = scores({"textboost": ahead(0.1), "x" * 10_000: EIGHT}, encoder="e" * 10_000)
    first, _ = said(study, naming=Naming({"textboost": "Text\nBoost"}))
    assert first.startswith("Text Boost has the best mean")
    assert f"over {'x' * 79}… in fidelity unseen (eee" in first
    assert len(first) < 400


def test_no_verdict_without_two_methods_on_the_same_subjects():
    assert said(scores({"a": EIGHT, "base": EIGHT})) is None
    assert said(scores({"a": [0.5, None], "b": [None, 0.4]})) is None
