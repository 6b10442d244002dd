"""Statistics against values worked out by hand, and against what pooling images would give."""

import itertools
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from benchmark import stats

BY = ["method", "metric"]


def results(values, method="m", metric="fidelity"):
    """Tidy rows from {(subject, train_seed, prompt_id): [value per generation seed]}."""
    records = [
        {
            "method": method,
            "metric": metric,
            "subject": subject,
            "train_seed": train_seed,
            "prompt_id": prompt_id,
            "seed": seed,
            "value": value,
        }
        for (subject, train_seed, prompt_id), numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    return pd.DataFrame(records).astype({"seed": "Int64"})


def grid(means, method="m", prompts=2, seeds=2, noise=0.0):
    """One value per subject, spread over prompts and seeds with zero-sum noise."""
    offsets = noise * np.linspace(-1, 1, seeds)
    return results(
        {
            (f"s{i}", 0, f"p{p}"): [mean + offset for offset in offsets]
            for i, mean in enumerate(means)
            for p in range(prompts)
        },
        method,
    )


def test_every_subject_weighs_the_same_whatever_its_number_of_images():
    """Trap 3: subjects weighed by their number of photos."""
    frame = results({("a", 0, "p"): [1.0] * 9, ("b", 0, "p"): [0.0]})
    row = stats.summarise(frame, BY).iloc[0]
    assert row["mean"] == pytest.approx(0.5)
    assert (row["subjects"], row["scores"]) == (2, 10)


def test_seeds_are_averaged_inside_prompts_inside_training_seeds():
    frame = results(
        {
            ("a", 0, "p"): [1.0, 0.0, 0.5, 0.5],  # .5
            ("a", 0, "q"): [1.0],  # run 0: (.5 + 1) / 2 = .75
            ("a", 1, "p"): [0.25, 0.25],  # run 1: .25
        }
    )
    assert stats.subject_means(frame) == {"a": pytest.approx(0.5)}


def test_scores_of_whole_cells_have_no_prompt_and_still_count():
    frame = results({("a", 0, None): [2.0], ("b", 0, None): [4.0]})
    frame["seed"] = pd.NA
    assert stats.summarise(frame, BY)["mean"].tolist() == [3.0]


def test_missing_reference_is_a_group_of_its_own():
    frame = grid([0.1, 0.2, 0.3]).assign(reference=None)
    assert len(stats.summarise(frame, [*BY, "reference"])) == 1


def test_interval_without_seed_noise_is_that_of_the_subject_means():
    means = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    row = stats.summarise(grid(means), BY, resamples=100_000).iloc[0]
    every = np.array([np.mean(draw) for draw in itertools.product(means, repeat=5)])
    # Student's 2.776 for 4 degrees of freedom, times sqrt(5 / 4), as a share of a normal curve.
    tail = NormalDist().cdf(-2.7764451 * (5 / 4) ** 0.5)
    assert tail == pytest.approx(0.00095, abs=1e-5)
    low, high = np.quantile(every, [tail, 1 - tail])
    assert row["low"] == pytest.approx(low, abs=0.2)
    assert row["high"] == pytest.approx(high, abs=0.2)
    assert row["high"] < 8.0


def test_interval_follows_subjects_not_images():
    few = stats.summarise(grid(range(6), prompts=1, seeds=1), BY).iloc[0]
    many = stats.summarise(grid(range(6), prompts=10, seeds=4), BY).iloc[0]
    assert many["high"] - many["low"] == pytest.approx(few["high"] - few["low"], rel=0.05)


def test_noise_of_generation_seeds_widens_the_interval():
    quiet = stats.summarise(grid([0.5] * 6), BY).iloc[0]
    noisy = stats.summarise(grid([0.5] * 6, prompts=1, noise=0.3), BY).iloc[0]
    assert quiet["high"] - quiet["low"] == pytest.approx(0.0, abs=1e-12)
    # Mean of 6 subjects x 2 draws of -.3 or .3: standard deviation .3 / sqrt(12), in steps.
    reach = 2.571 * (6 / 5) ** 0.5
    assert noisy["high"] - noisy["low"] == pytest.approx(2 * reach * 0.3 / 12**0.5, abs=0.1)


def test_prompts_with_unequal_numbers_of_seeds_keep_their_weights():
    values = {(f"s{i}", 0, "p"): [0.2] * 4 for i in range(5)}
    values |= {(f"s{i}", 0, "q"): [0.8] for i in range(5)}
    row = stats.summarise(results(values), BY).iloc[0]
    assert row[["mean", "low", "high"]].tolist() == pytest.approx([0.5, 0.5, 0.5])


def test_same_seed_same_interval_whatever_else_is_in_the_frame():
    frame = grid([0.1, 0.2, 0.5, 0.7, 0.9], noise=0.1)
    other = grid([0.3, 0.2, 0.9, 0.1, 0.4], method="other")
    alone = stats.summarise(frame, BY).iloc[0]
    beside = stats.summarise(pd.concat([other, frame]), BY).set_index("method").loc["m"]
    assert (alone["low"], alone["high"]) == (beside["low"], beside["high"])
    again = stats.summarise(frame, BY, seed=1).iloc[0]
    assert again["low"] != alone["low"]


def test_two_subjects_get_a_value_and_a_reason_instead_of_an_interval():
    row = stats.summarise(grid([0.2, 0.4]), BY).iloc[0]
    assert row["mean"] == pytest.approx(0.3)
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])
    assert row["note"] == "interval not computed: 2 subjects, 5 needed"


def pair(base, method):
    return pd.concat([grid(base, "base"), grid(method, "m")])


def test_difference_is_paired_by_subject():
    base = np.array([0.1, 0.9, 0.4, 0.6, 0.2, 0.8])
    row = stats.compare(pair(base, base + 0.05), ["metric"], "base").iloc[0]
    assert row["method"] == "m"
    assert row["difference"] == pytest.approx(0.05)
    # The subjects differ far more than the methods, and that cancels.
    assert row["low"] == pytest.approx(0.05)
    assert row["high"] == pytest.approx(0.05)
    assert row["above"] == 1.0
    assert row["p"] == pytest.approx(2 / 2**6)


def test_only_subjects_of_both_sides_are_compared():
    frame = pair([0.0] * 8, [0.5] * 6)
    row = stats.compare(frame, ["metric"], "base").iloc[0]
    assert (row["subjects"], row["difference"]) == (6, pytest.approx(0.5))


def test_above_counts_ties_half():
    frame = pair([0.5] * 4, [0.5, 0.6, 0.7, 0.4])
    assert stats.compare(frame, ["metric"], "base")["above"].tolist() == [2.5 / 4]


def test_below_six_subjects_the_p_value_is_refused():
    row = stats.compare(pair([0.1] * 5, [0.2] * 5), ["metric"], "base").iloc[0]
    assert np.isnan(row["p"])
    assert np.isnan(row["p_holm"])
    assert row["difference"] == pytest.approx(0.1)
    assert row["note"] == "p-value refused: 5 subjects, 6 needed"


def test_without_the_baseline_there_is_nothing_to_compare():
    table = stats.compare(grid([0.1] * 6), ["metric"], "base")
    assert table.empty
    assert "p_holm" in table


def test_permutation_by_enumeration():
    differences = np.array([0.3, 0.1, 0.2, -0.1, 0.4, 0.2])
    reached = sum(
        abs(np.dot(signs, differences)) >= abs(differences.sum()) - 1e-12
        for signs in itertools.product((-1, 1), repeat=6)
    )
    assert stats.permutation_p(differences) == reached / 64


def test_permutation_with_no_difference_at_all_is_one():
    assert stats.permutation_p(np.zeros(6)) == 1.0


def test_permutation_of_many_subjects_is_drawn_and_never_zero():
    p = stats.permutation_p(np.full(20, 0.1))
    assert 0 < p <= 2 / 10_001


def test_drawn_permutation_agrees_with_the_exact_one(monkeypatch):
    differences = np.array([0.3, 0.1, 0.2, -0.1, 0.4, 0.2, -0.3, 0.1])
    exact = stats.permutation_p(differences)
    monkeypatch.setattr(stats, "SUBJECTS_FOR_EXACT_P", 0)
    assert stats.permutation_p(differences) == pytest.approx(exact, abs=0.02)


def test_holm_by_hand():
    corrected = stats.holm(np.array([0.01, 0.04, np.nan, 0.03, 0.5]))
    # Ordered .01 .03 .04 .5, times 4 3 2 1: .04 .09 .08 .5, made non-decreasing.
    np.testing.assert_allclose(corrected, [0.04, 0.09, np.nan, 0.09, 0.5])


def test_holm_never_exceeds_one():
    np.testing.assert_allclose(stats.holm(np.array([0.6, 0.7])), [1.0, 1.0])


def test_holm_is_corrected_over_the_whole_table():
    base, lift = np.zeros(6), np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.1])
    frame = pd.concat([pair(base, lift), grid(lift, "n")])
    table = stats.compare(frame, ["metric"], "base")
    assert table["p"].tolist() == pytest.approx([2 / 64] * 2)
    assert table["p_holm"].tolist() == pytest.approx([4 / 64] * 2)


def unequal(extra_runs=(1,), subjects=9):
    """Two methods that are alike in every picture; `b` lacks training seed 1 of every subject.

    The training seed alone decides the score: 0.4 with seed 0, 0.5 with seed 1.
    """
    rows = [
        {
            "method": method,
            "metric": "fidelity",
            "subject": f"s{subject}",
            "train_seed": run,
            "prompt_id": prompt,
            "seed": seed,
            "value": 0.4 + 0.1 * run + 0.01 * subject,
        }
        for method, runs in (("a", (0, *extra_runs)), ("b", (0,)))
        for subject in range(subjects)
        for run in runs
        for prompt in ("p", "q")
        for seed in (0, 1)
    ]
    return pd.DataFrame(rows)


def test_what_only_one_side_has_makes_no_difference_and_is_told():
    """As after trainings of one seed have failed: a training seed is no difference of methods."""
    frame = unequal()
    (row,) = stats.compare(frame, ["metric"], "a").to_dict("records")
    assert (row["difference"], row["low"], row["high"]) == (0.0, 0.0, 0.0)
    assert (row["verdict"], row["subjects"]) == ("not told apart", 9)
    assert row["note"] == "36 values that only one of both has are left out"
    prompts = unequal(()).query("method == 'b' or subject != 's0' or prompt_id != 'q'")
    (row,) = stats.compare(prompts, ["metric"], "a").to_dict("records")
    assert row["note"] == "2 values that only one of both has are left out"
    (row,) = stats.compare(unequal(()), ["metric"], "a").to_dict("records")
    assert row["note"] == ""


def test_trainings_of_unlike_seeds_are_compared_as_they_are():
    """There is no training that both have: what is left in common are subjects and pictures."""
    frame = unequal(())
    frame.loc[frame["method"] == "b", "train_seed"] = 7
    (row,) = stats.compare(frame, ["metric"], "a").to_dict("records")
    assert (row["difference"], row["subjects"], row["note"]) == (0.0, 9, "")
    assert len(stats.in_common(frame, "method")) == len(frame)
    assert len(stats.in_common(unequal(), "method")) == 2 * 36


def test_subjects_of_one_side_alone_are_no_values_left_out():
    frame = unequal(()).query("method == 'a' or subject != 's0'")
    (row,) = stats.compare(frame, ["metric"], "a").to_dict("records")
    assert (row["subjects"], row["note"]) == (8, "")
