"""The check of the metrics themselves: its truths, its mixtures, its judgement, its page."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.backbones import open_backbone
from benchmark.meta_evaluation import (
    evaluate,
    judge,
    mixture,
    page,
    pictures,
)
from benchmark.meta_truths import CLAIMS, PURE, truths
from benchmark.metrics import caveats, directions

DOCS = Path(__file__).parents[2] / "docs" / "explanation"


def test_truths_of_mixtures_are_shares_of_their_parts():
    known = truths()
    assert known["oracle, 25% noise"].subject == 0.75
    assert known["oracle, 50% other subject"].prompt == 0.75
    assert known["oracle, 75% copy"].variety == 0.25
    assert known["oracle, 75% copy"].copied == 0.75
    assert known["oracle, 50% noise"].variety is None


def test_a_mixture_replaces_its_share_of_every_subject():
    keys = [(name, prompt, seed) for name in "ab" for prompt in ("p", "q") for seed in range(4)]
    mixed = mixture(dict.fromkeys(keys, "right"), dict.fromkeys(keys, "wrong"), 0.25)
    for name in "ab":
        mine = [mixed[key] for key in keys if key[0] == name]
        assert mine.count("wrong") == 2
    assert mixture(dict.fromkeys(keys, 1), dict.fromkeys(keys, 2), 0.25).keys() == set(keys)


def made_up(means, metric="fidelity"):
    rows = [
        {
            "metric": metric,
            "encoder": "e",
            "reference": "unseen",
            "set": name,
            "mean": mean,
            "truth": CLAIMS[metric](PURE[name]),
        }
        for name, mean in means.items()
    ]
    return pd.DataFrame(rows)


def test_a_metric_that_follows_the_truth_has_correlation_1():
    right = made_up({"oracle": 0.9, "other subject": 0.2})
    (found,) = judge(right).to_dict("records")
    assert found["spearman"] == pytest.approx(1.0)
    assert found["wrong"] == []


def test_a_metric_that_turns_the_truth_round_says_which_pair():
    wrong = made_up({"oracle": 0.2, "other subject": 0.9})
    (found,) = judge(wrong).to_dict("records")
    assert found["spearman"] == pytest.approx(-1.0)
    assert found["wrong"] == ["other subject above oracle"]
    assert "**wrongly**" in page_of(wrong)


def test_every_metric_that_is_judged_exists_and_has_a_direction():
    assert set(CLAIMS) <= set(directions())


@pytest.mark.slow
@pytest.mark.long
def test_two_subjects_are_enough_to_rank_the_pure_sets(tmp_path, monkeypatch):
    """The whole path on the toy backbone; the docs' page is the same with more subjects."""
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("TBBENCH_EMBEDDINGS_MB", "100")  # mixtures share their pictures
    torch.set_num_threads(1)
    names = ["spotted_dog", "picnic_teapot"]
    pipe = open_backbone("toy").load("cpu", "fp32")
    pipe.set_progress_bar_config(disable=True)
    table = evaluate(names, pipe)
    assert set(table["set"]) == set(truths())
    judged = judge(table).set_index(["metric", "encoder", "reference"])
    unseen = judged.loc[("fidelity", "toy-clip", "unseen")]
    assert unseen["spearman"] > 0.8
    assert judged.xs("alignment", level=0)["spearman"].min() > 0.8
    noise = table[(table["set"] == "noise") & (table["metric"] == "alignment")]["mean"]
    oracle = table[(table["set"] == "oracle") & (table["metric"] == "alignment")]["mean"]
    assert float(noise.iloc[0]) < float(oracle.iloc[0])


@pytest.mark.slow
@pytest.mark.long
def test_sets_are_what_they_are_called():
    torch.set_num_threads(1)
    pipe = open_backbone("toy").load("cpu", "fp32")
    pipe.set_progress_bar_config(disable=True)
    made = pictures(["spotted_dog"], pipe)
    assert all(sets.keys() == made["oracle"].keys() for sets in made.values())
    photos = {image.tobytes() for image in made["copy"].values()}
    assert len(photos) == 1
    assert len({image.tobytes() for image in made["oracle"].values()}) == len(made["oracle"])
    grey = np.mean([np.asarray(image).mean() for image in made["noise"].values()])
    assert grey == pytest.approx(127.5, abs=1)


def test_the_page_in_the_docs_judges_every_metric():
    text = (DOCS / "meta-evaluation.md").read_text(encoding="utf-8")
    assert all(f"| {metric}" in text for metric in CLAIMS)
    assert all(f"| {name} |" in text for name in truths())


def page_of(table):
    every = pd.concat([table.iloc[:1].assign(set=name) for name in truths()])
    return page(every, judge(table))


def test_a_metric_that_the_docs_find_wrong_carries_its_warning():
    text = (DOCS / "meta-evaluation.md").read_text(encoding="utf-8")
    wrong = {line.split()[1] for line in text.splitlines() if "| **wrongly** |" in line}
    assert wrong <= set(caveats())
