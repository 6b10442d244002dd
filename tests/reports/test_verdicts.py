"""Sentences say what the numbers say, and nothing when there is nothing to say."""

import pandas as pd
import pytest

from reports import verdicts
from reports.tables import differences, summary


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
    assert "0 of 3 methods lie above it and 0 below (95% interval without 0, and p below" in said[0]
    assert "after correction for 9 comparisons); by the interval alone it would be 3." in said[0]
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
    assert "3 of 3 methods lie above it and 0 below (95% interval without 0" in said[0]
    assert "0 of 3 methods lie above it and 3 below" in said[2]
    assert "by the interval alone" not in said[2]


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
    (said,) = [one for one in verdicts.cautions(table) if one.startswith("Diversity")]
    assert "cannot tell variety from error" in said
    without = table[table["metric"] != "diversity"]
    assert not any(one.startswith("Diversity") for one in verdicts.cautions(without))
