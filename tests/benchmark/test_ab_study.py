"""Win rates, their intervals and agreement against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm, t

from benchmark.ab_answers import key_content, read_answers, read_key
from benchmark.ab_study import (
    Key,
    Pair,
    agreement,
    interval,
    left_share,
    table,
    weighted,
    win_rates,
)
from benchmark.atomic import write_json
from benchmark.errors import UserError

HEAD = "study,rater,pair,left,right,choice,seconds"


def pair(id, subject="dog", one="textboost", two="dreambooth"):
    # The picture with the lower id is `one`'s.
    return Pair(id, subject, "p", "a dog", 0, 0, {f"{id}-0": one, f"{id}-1": two})


def key(*pairs):
    return Key("study-1", "fidelity", {made.id: made for made in pairs})


def answer(rater, pair_id, choice, turned=False):
    left, right = (f"{pair_id}-1", f"{pair_id}-0") if turned else (f"{pair_id}-0", f"{pair_id}-1")
    return {"rater": rater, "pair": pair_id, "left": left, "right": right, "choice": choice}


def scores(values):
    """Answers for {(rater, subject): scores}."""
    rows = [
        {
            "rater": rater,
            "subject": subject,
            "score": score,
            "first": "a",
            "second": "b",
        }
        for (rater, subject), found in values.items()
        for score in found
    ]
    return pd.DataFrame(rows)


def test_a_win_counts_for_the_method_whose_picture_was_chosen_whichever_side_it_was_on():
    made = [pair(f"p{n}", f"s{n}") for n in range(4)]
    said = [
        answer("anna", "p0", "left"),  # textboost's
        answer("anna", "p1", "left", turned=True),  # dreambooth's
        answer("anna", "p2", "right", turned=True),  # textboost's
        answer("anna", "p3", "same"),
    ]
    (record,) = win_rates(table(key(*made), said))
    assert (record["first"], record["second"]) == ("dreambooth", "textboost")
    # dreambooth: one win of four, and half of the undecided one.
    assert record["win_rate"] == (0 + 1 + 0 + 0.5) / 4
    assert (record["wins"], record["losses"], record["same"]) == (1, 2, 1)
    assert (record["low"], record["verdict"]) == (None, None)
    assert record["note"] == "interval not computed: 4 subjects, 5 needed"


def test_every_two_methods_have_their_own_record():
    made = [pair("p0"), pair("p1", one="base", two="textboost"), pair("p2", two="base")]
    said = [
        answer("anna", "p0", "left"),
        answer("anna", "p1", "left"),
        answer("anna", "p2", "left"),
    ]
    found = {(r["first"], r["second"]): r["win_rate"] for r in win_rates(table(key(*made), said))}
    # p1 was won by base, p2 (textboost against base) by textboost.
    assert found == {("base", "textboost"): 0.5, ("dreambooth", "textboost"): 0.0}


def test_an_interval_without_any_spread_has_no_width_and_a_clear_win_is_a_verdict():
    alike = scores({(r, f"s{s}"): [1, 1] for r in "xyz" for s in range(6)})
    assert interval(alike) == (1.0, 1.0, "")
    (record,) = win_rates(alike)
    assert (record["verdict"], record["raters"], record["subjects"]) == ("a", 3, 6)
    (record,) = win_rates(alike.assign(score=0.5))
    assert record["verdict"] == "not told apart"


def test_an_interval_over_subjects_is_that_of_the_exact_bootstrap():
    # Half of 12 subjects were won: a resample's wins are binomial. The levels of 12 clusters.
    alone = scores({("x", f"s{s}"): [s % 2] for s in range(12)})
    tail = norm.cdf(np.sqrt(12 / 11) * t.ppf(0.025, 11))
    low, high, _ = interval(alone)
    assert low == pytest.approx(binom.ppf(tail, 12, 0.5) / 12)
    assert high == pytest.approx(binom.ppf(1 - tail, 12, 0.5) / 12)


def test_the_weight_of_an_answer_is_the_product_of_its_raters_and_its_subjects():
    random = np.random.default_rng(5)
    sums, over, across = (random.integers(0, 4, shape) for shape in ((3, 5), (7, 3), (7, 5)))
    by_hand = [
        sum(over[n, r] * across[n, s] * sums[r, s] for r in range(3) for s in range(5))
        for n in range(7)
    ]
    assert weighted(sums, over, across).tolist() == by_hand
    assert weighted(sums, None, across).tolist() == weighted(sums, np.ones((7, 3)), across).tolist()


def test_the_interval_knows_that_answers_of_one_rater_are_alike():
    # 6 raters with one fixed opinion each, over 20 subjects: the raters are the sample.
    opinions = {"a": 1, "b": 1, "c": 1, "d": 0, "e": 0, "f": 1}
    split = scores({(r, f"s{s}"): [opinions[r]] for r in opinions for s in range(20)})
    low, high, _ = interval(split)
    # The mean of 6 opinions has a standard error of sqrt(2/3 * 1/3 / 6) = 0.19; 120 answers that
    # were independent would have 0.04.
    assert low < 2 / 3 - 0.3
    assert high > 2 / 3 + 0.25
    # The same scores spread evenly over raters and subjects leave far less in doubt.
    random = np.random.default_rng(0)
    mixed = split.assign(score=random.permutation(split["score"].to_numpy()))
    spread = interval(mixed)
    assert spread[1] - spread[0] < 0.6 * (high - low)


def test_the_interval_knows_that_answers_on_one_subject_are_alike():
    by_subject = scores({(r, f"s{s}"): [s % 2] for r in "abcdefghij" for s in range(6)})
    low, high, _ = interval(by_subject)
    assert low < 0.2
    assert high > 0.8


def test_one_rater_alone_gets_an_interval_over_subjects_that_says_so():
    alone = scores({("x", f"s{s}"): [s % 2] for s in range(8)})
    low, high, note = interval(alone)
    assert low < 0.5 < high
    assert note == "one rater: the interval is over subjects alone"


def test_intervals_hold_what_they_promise():
    """Coverage over simulated studies with effects of raters and of subjects."""
    random = np.random.default_rng(1)
    held = 0
    studies = 200
    for _ in range(studies):
        taste = random.normal(0, 0.1, 8)[:, None] + random.normal(0, 0.1, 10)
        drawn = random.random((8, 10)) < np.clip(0.6 + taste, 0, 1)
        made = {(f"r{r}", f"s{s}"): [float(drawn[r, s])] for r in range(8) for s in range(10)}
        low, high, _ = interval(scores(made), resamples=500)
        held += low <= 0.6 <= high
    # The pigeonhole bootstrap is cautious: more than 95% is expected, 90% would be a fault.
    assert held / studies > 0.92


def test_alpha_is_that_of_a_worked_example():
    # Two raters, five pairs, nominal: they agree on four. Values: 1 1 1 0 0 and 1 1 0 0 0.
    made = [pair(f"p{n}") for n in range(5)]
    said = [
        answer("x", f"p{n}", c) for n, c in enumerate(["left", "left", "left", "right", "right"])
    ]
    said += [
        answer("y", f"p{n}", c) for n, c in enumerate(["left", "left", "right", "right", "right"])
    ]
    found = agreement(table(key(*made), said))
    # Ten values, five of each kind: expected disagreement 2 * 5 * 5 / (10 * 9) = 5/9; observed 1/5.
    assert found.alpha == pytest.approx(1 - (1 / 5) / (5 / 9))
    assert (found.raters, found.pairs, found.note) == (2, 5, "")


def test_sides_do_not_count_in_agreement_and_pairs_of_one_rater_say_nothing():
    made = [pair(f"p{n}") for n in range(3)]
    said = [
        answer("x", "p0", "left"),
        answer("y", "p0", "right", turned=True),  # the same picture
        answer("x", "p1", "right"),
        answer("y", "p1", "left", turned=True),
        answer("x", "p2", "same"),
    ]
    found = agreement(table(key(*made), said))
    assert (found.alpha, found.pairs) == (1.0, 2)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([answer("x", "p0", "left"), answer("x", "p1", "right")], "one rater alone"),
        ([answer("x", "p0", "left"), answer("y", "p1", "left")], "no pair was answered by two"),
        ([answer("x", "p0", "left"), answer("y", "p0", "left")], "all answers are alike"),
    ],
)
def test_agreement_that_cannot_be_computed_says_why(said, why):
    found = agreement(table(key(pair("p0"), pair("p1")), said))
    assert found.alpha is None
    assert why in found.note


def test_the_share_of_left_leaves_undecided_answers_out():
    said = [answer("x", "p0", c) for c in ("left", "left", "right", "same")]
    assert left_share(table(key(pair("p0")), said)) == 2 / 3
    assert left_share(table(key(pair("p0")), said[3:])) is None


@pytest.fixture
def files(tmp_path):
    write_json(tmp_path / "key.json", key_content(key(pair("p0"), pair("p1", "cat"))))

    def answers(*lines, head=HEAD):
        path = tmp_path / "answers.csv"
        path.write_text("\n".join([head, *lines]) + "\n")
        return path

    return tmp_path / "key.json", answers


def test_files_are_read_back_and_an_answer_that_is_there_twice_counts_once(files):
    path, answers = files
    known = read_key(path)
    assert known == key(pair("p0"), pair("p1", "cat"))
    line = 'study-1,"anna, b.",p0,p0-1,p0-0,right,2.5'
    same = line.replace("anna, b.", "Anna, B. ")  # the same person
    assert same != line
    found = read_answers([answers(line, line.replace("p0", "p1"), line, same)], known)
    assert [(row["rater"], row["pair"]) for row in found] == [
        ("anna, b.", "p0"),
        ("anna, b.", "p1"),
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "no answers; the page's button writes a file of them"),
        (
            ["other,x,p0,p0-0,p0-1,left,1"],
            "an answer to study 'other', but the key is of 'study-1'",
        ),
        (["study-1,x,p9,p9-0,p9-1,left,1"], "line 2: pair 'p9' is not in the key"),
        (
            ["study-1,x,p0,p0-0,p1-1,left,1"],
            "pictures 'p0-0' and 'p1-1' are not those of pair 'p0'",
        ),
        (["study-1,x,p0,p0-0,p0-0,left,1"], "are not those of pair 'p0'"),
        (["study-1,x,p0,p0-0,p0-1,up,1"], "choice 'up'; expected one of left, right, same"),
        (["study-1,,p0,p0-0,p0-1,left,1"], "the rater has no name"),
        (["study-1,x,p0,p0-0"], "line 2: expected 7 values"),
        (["study-1,x,p0,p0-0,p0-1,left,1,2"], "line 2: expected 7 values"),
        (
            ["study-1,x,p0,p0-0,p0-1,left,1", "study-1,x,p0,p0-0,p0-1,right,1"],
            "line 3: rater 'x' answered pair 'p0' before, and otherwise",
        ),
        (['study-1,"x'], "is no CSV file"),
    ],
)
def test_answers_that_do_not_fit_are_refused_in_one_line(files, lines, said):
    path, answers = files
    with pytest.raises(UserError) as refused:
        read_answers([answers(*lines)], read_key(path))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_are_something_else_are_refused(files, tmp_path):
    path, answers = files
    known = read_key(path)
    with pytest.raises(UserError, match="has no column 'study'"):
        read_answers([answers("1,2", head="a,b")], known)
    with pytest.raises(UserError, match="No such file"):
        read_answers([tmp_path / "nowhere.csv"], known)
    with pytest.raises(UserError, match="No such file"):
        read_key(tmp_path / "nowhere.json")
    for content in ("{", "[]", '{"version": 1, "study": "x", "question": "q", "pairs": []}'):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(UserError, match="is no key of a blind study") as refused:
            read_key(tmp_path / "bad.json")
        assert "\n" not in str(refused.value)
    write_json(tmp_path / "old.json", key_content(known) | {"version": 7})
    with pytest.raises(UserError, match="is of version 7, not 1"):
        read_key(tmp_path / "old.json")


def test_five_subjects_give_an_interval_and_no_verdict():
    (record,) = win_rates(scores({(r, f"s{s}"): [1] for r in "xyz" for s in range(5)}))
    assert record["low"] == record["high"] == 1.0
    assert record["p"] is record["verdict"] is None
    assert record["note"] == "no verdict: 5 subjects, 6 needed"


def test_p_is_that_of_the_subjects_win_rates_under_random_signs():
    # Six subjects that all prefer a: 2 of 64 signs reach that. However many answers each gave.
    alike = {(r, f"s{s}"): [1] * (s + 1) for r in "xyz" for s in range(6)}
    (record,) = win_rates(scores(alike))
    assert record["p"] == 2 / 64
    assert record["verdict"] == "a"


def test_an_interval_beside_a_half_is_no_preference_without_p():
    """Five subjects at 1 and one at 0.4: four of 64 signs reach their sum."""
    won = {("x", f"s{s}"): [1] * 5 for s in range(5)} | {("x", "s5"): [1, 1, 0, 0, 0]}
    (record,) = win_rates(scores(won))
    assert record["low"] > 0.5
    assert record["p"] == 4 / 64
    assert record["verdict"] == "not told apart"
