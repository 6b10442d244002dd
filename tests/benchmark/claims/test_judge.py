"""Verdicts on constructed results, whose estimates are computed by hand."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from benchmark.claims.file import Claim
from benchmark.claims.judge import judge
from benchmark.claims.measured import preset_settings
from benchmark.claims.study import Study, Whole, whole_of
from tests.benchmark.claims.judged import EIGHT, claim, made, one, study, two
from tests.reports.made_up import PROMPTS

CONSTANT = study(two(np.arange(8) / 10 + 0.25, np.arange(8) / 10))
MIXED = study(two([0.4, 0.2] * 4, [0.3] * 8))


@pytest.mark.parametrize(
    ("bound", "verdict"),
    [
        ("> 0.2", "SUPPORTED"),
        ("< 0.2", "REFUTED"),
        ("between 0.2 and 0.3", "SUPPORTED"),
        ("between 0.3 and 0.4", "REFUTED"),
        ("within 10% of 0.25", "SUPPORTED"),
        (">= -1", "SUPPORTED"),
    ],
)
def test_a_difference_that_is_the_same_for_every_subject(bound, verdict):
    """Subjects differ by 0.7, the methods within each by 0.25: pairing leaves no doubt."""
    found = one(f"difference(CLIP-T, textboost, dreambooth) {bound}", CONSTANT)
    assert found.verdict == verdict
    assert (found.estimate, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert (found.n, found.kind, found.label, found.run) == (8, "measured", None, "run")


def test_an_interval_across_the_bound_is_inconclusive():
    found = one("difference(CLIP-T, textboost, dreambooth) > 0", MIXED)
    assert found.verdict == "INCONCLUSIVE"
    assert found.estimate == pytest.approx(0.0, abs=1e-12)
    assert found.low < 0 < found.high
    assert one("difference(CLIP-T, textboost, dreambooth) > -0.2", MIXED).verdict == "SUPPORTED"
    assert one("difference(CLIP-T, textboost, dreambooth) > 0.2", MIXED).verdict == "REFUTED"


@pytest.mark.parametrize(("subjects", "verdict"), [(4, "INCONCLUSIVE"), (5, "SUPPORTED")])
def test_too_few_subjects_support_nothing(subjects, verdict):
    few = study(two([0.5] * subjects, [0.1] * subjects), subjects=EIGHT[:subjects])
    found = one("difference(CLIP-T, textboost, dreambooth) > 0", few)
    assert (found.verdict, found.n) == (verdict, subjects)
    assert found.estimate == pytest.approx(0.4)
    assert ("4 subjects, 5 needed" in found.evidence) == (subjects == 4)
    assert (found.low is None) == (subjects == 4)


def test_only_subjects_that_both_have_are_compared():
    short = study(two([0.5] * 8, [0.1] * 6))
    found = one("difference(CLIP-T, textboost, dreambooth) > 0", short)
    assert found.n == 6
    assert "28 rows, from 14 of 16 cells, 6 of 8 subjects" in found.evidence
    whole = study(two([0.5] * 8, [0.1] * 8))
    assert "cells" not in one("difference(CLIP-T, textboost, dreambooth) > 0", whole).evidence
    lacking = (whole.results["method"] == "dreambooth") & (whole.results["seed"] == 1)
    part = replace(whole, results=whole.results[~lacking])
    evidence = one("difference(CLIP-T, textboost, dreambooth) > 0", part).evidence
    assert "8 values that only one of both has are left out" in evidence


def test_a_mean_is_over_subjects_and_has_an_interval():
    """8 subjects at 0.1 and 0.3, a standard error of 0.035: 0.15 is within reach, 0 is not."""
    there = study([("textboost", [0.1, 0.3] * 4, {})])
    found = one("mean(CLIP-T, textboost) > 0.15", there)
    assert found.estimate == pytest.approx(0.2)
    assert 0.1 < found.low < 0.15 < 0.25 < found.high < 0.3
    assert found.verdict == "INCONCLUSIVE"
    assert one("mean(CLIP-T, textboost) > 0", there).verdict == "SUPPORTED"


def test_a_ratio_of_costs_is_the_geometric_mean_of_paired_ratios():
    seconds = study(costs=two([2, 8, 2, 8, 2, 8], [1] * 6), subjects=EIGHT[:6])
    found = one("ratio(seconds, textboost, dreambooth) < 10", seconds)
    assert found.estimate == pytest.approx(exp((log(2) + log(8)) / 2))
    assert 2 <= found.low < 4 < found.high <= 8
    assert found.verdict == "SUPPORTED"
    # Slow subjects are slow for both: the pairs agree although the values differ tenfold.
    paired = study(costs=two([1, 10, 2, 20, 3], [2, 20, 4, 40, 6]), subjects=EIGHT[:5])
    found = one("ratio(seconds, textboost, dreambooth) < 0.6", paired)
    assert (found.low, found.estimate, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert found.verdict == "SUPPORTED"


def test_there_is_no_ratio_to_nothing():
    found = one("ratio(seconds, textboost, dreambooth) < 1", study(costs=two([1] * 8, [0] * 8)))
    assert (found.verdict, found.estimate) == ("NOT MEASURED", None)
    assert "a value is 0" in found.evidence


def test_a_count_that_never_varies_needs_no_interval():
    columns = {"stage": "save", "measure": "checkpoint_bytes", "kind": "exact"}
    there = study(costs=two([50] * 2, [100] * 2, **columns), subjects=EIGHT[:2], backbone="a/b")
    found = one("ratio(checkpoint_bytes, textboost, dreambooth) < 0.6", there)
    assert (found.verdict, found.kind, found.n) == ("SUPPORTED", "exact", 2)
    assert (found.low, found.estimate, found.high) == pytest.approx((0.5, 0.5, 0.5))
    varying = study(costs=two([50, 60], [100] * 2, **columns), subjects=EIGHT[:2], backbone="a/b")
    found = one("ratio(checkpoint_bytes, textboost, dreambooth) < 0.6", varying)
    assert found.verdict == "INCONCLUSIVE"


DIFFERENCE = "difference(CLIP-T, textboost, dreambooth) > 0"
SECONDS = "seconds(textboost) < 10 min"
BOTH = two([0.5] * 8, [0.1] * 8)
TIMES = two([60.0] * 8, [90.0] * 8)


@pytest.mark.parametrize(
    ("expression", "keys", "changes", "reason"),
    [
        (
            DIFFERENCE,
            {"backbone": "sd15"},
            {"backbone": "toy"},
            "is toy, the claim's sd15",
        ),
        (SECONDS, {"backbone": "sd15"}, {"backbone": "toy"}, "is toy, the claim's sd15"),
        (DIFFERENCE, {"backbone": "toy"}, {}, "backbone is sd15, the claim's toy"),
        (DIFFERENCE, {"backbone": "sd15"}, {"backbone": "blank-sd15"}, "is blank-sd15"),
        (DIFFERENCE, {"protocol": "strict"}, {}, "protocol is dpm++/25/7.5, the claim's strict"),
        (SECONDS, {"protocol": "strict"}, {}, "protocol is dpm++/25/7.5, the claim's strict"),
        (DIFFERENCE, {"backbone": "sd15"}, {"dataset": "toyworld"}, "pictures are of toyworld"),
        (DIFFERENCE, {"dataset": "dreambench"}, {"dataset": "toyworld"}, "are of toyworld"),
        (DIFFERENCE, {"split": "n1-v2"}, {}, "split is n1, the claim's n1-v2"),
        (DIFFERENCE, {"preset": "toy"}, {}, "no cells of textboost (toy)"),
        (DIFFERENCE, {"backbone": "sd15"}, {"resolution": 256}, "trained at 256 px"),
        ("seconds(custom-diffusion) < 1", {}, {}, "no cells of custom-diffusion"),
        ("peak_memory(textboost) < 1 GB", {}, {}, "memory of a GPU, and the run had none"),
        ("seconds.prepare(textboost) < 1", {}, {}, "seconds.prepare of textboost was not measured"),
        ("mean(DINO, textboost) > 0", {}, {}, "DINO is by dino-..., and the run has none"),
        ("mean(CLIP-T@clip-vit-l-14, textboost) > 0", {}, {}, "scored by clip-vit-b-32 alone"),
    ],
)
def test_what_is_not_as_claimed_is_not_measured(expression, keys, changes, reason):
    found = one(expression, study(BOTH, TIMES, **changes), **keys)
    assert (found.verdict, found.estimate, found.low, found.n) == ("NOT MEASURED", None, None, None)
    assert reason in found.evidence
    assert found.evidence.startswith("run: ")


def test_the_same_claims_are_judged_where_everything_is_as_claimed():
    there = study(BOTH, TIMES)
    for expression in (DIFFERENCE, SECONDS):
        keys = {"backbone": "sd15", "dataset": "dreambench", "split": "n1"}
        assert one(expression, there, **keys).verdict == "SUPPORTED"


def test_a_run_with_changed_settings_is_no_run_of_the_preset():
    shorter = {**preset_settings("textboost", "paper"), "steps": 3}
    there = study(BOTH, TIMES)
    changed = [
        made("textboost", c.subject, settings=shorter) if c.method == "textboost" else c
        for c in there.cells
    ]
    changed = Study("run", tuple(changed), there.results, there.costs, there.environment)
    found = one(SECONDS, changed)
    assert found.verdict == "NOT MEASURED"
    assert "textboost was not trained as its preset says: steps 3 instead of 250" in found.evidence


SHARED = [
    ({"compute": {"accumulation": 8}}, "[training] accumulation is 8 instead of 1", None),
    (
        {"compute": {"gradient_checkpointing": True}},
        "[training] gradient_checkpointing is true instead of false",
        None,
    ),
    ({"compute": {"attention": "math"}}, "[training] attention is math instead of sdpa", None),
    ({"compute": {"optimizer": "8bit"}}, "[training] optimizer is 8bit", "optimizer is 8bit"),
    ({"prior": {"steps": 10}}, None, "[prior] steps is 10 instead of 50"),
    ({"compute": {"precision": "fp16", "optimizer": "foreach"}}, None, None),
]


@pytest.mark.parametrize(("changes", "cost", "score"), SHARED)
def test_what_methods_share_is_as_published_or_nothing_is_measured(changes, cost, score):
    """Costs need the plain step, scores need published prior pictures; precision is free."""
    there = study(BOTH, TIMES, **changes)
    for expression, reason in ((SECONDS, cost), (DIFFERENCE, score)):
        found = one(expression, there, backbone="sd15")
        assert found.verdict == ("NOT MEASURED" if reason else "SUPPORTED")
        assert (reason or "") in found.evidence


def test_the_toy_runs_may_sample_prior_pictures_as_they_do():
    toy = study(BOTH, prior={"steps": 25}, backbone="toy", dataset="toyworld")
    assert one("difference(alignment, textboost, dreambooth) > 0", toy).verdict == "SUPPORTED"


def with_whole(prompts, subjects=30):
    """The run whose cells have 2 prompts, of a data set that has `prompts` and `subjects`."""
    ids = frozenset([*PROMPTS, *(f"other-{n}" for n in range(prompts - len(PROMPTS)))])
    return replace(study(BOTH, TIMES), whole=Whole(subjects, {True: ids, False: ids}))


def test_a_part_of_the_subjects_is_named_and_labelled():
    found = one(DIFFERENCE, with_whole(2), backbone="sd15")
    assert (found.verdict, found.label) == ("SUPPORTED", "part")
    assert "8 of 30 subjects of split n1, 2 of 2 prompts" in found.evidence
    assert one(DIFFERENCE, with_whole(2, subjects=8), backbone="sd15").label is None
    # What a training takes does not hang on which subjects were taken.
    assert one(SECONDS, with_whole(25), backbone="sd15").label is None


def test_subjects_that_are_learned_together_are_no_subjects_of_a_papers():
    pairs = [f"{name}+other" for name in EIGHT]
    together = study(two([0.5] * 8, [0.1] * 8), subjects=pairs)
    found = one(DIFFERENCE, together, backbone="sd15")
    assert (found.verdict, "learned together" in found.evidence) == ("NOT MEASURED", True)
    free = one("difference(CLIP-T, textboost, dreambooth) > 0", together)
    assert (free.verdict, free.label) == ("SUPPORTED", "subjects together")


def test_a_papers_score_needs_all_prompts():
    found = one(DIFFERENCE, with_whole(25), backbone="sd15")
    assert (found.verdict, found.evidence) == ("NOT MEASURED", "run: only 2 of 25 prompts")
    free = one(DIFFERENCE, with_whole(25))
    assert (free.verdict, free.label) == ("SUPPORTED", "part")
    assert "2 of 25 prompts" in free.evidence
    named = one(SECONDS, with_whole(25), protocol="dreambooth")
    assert "protocol" in named.evidence
    under = replace(study(BOTH, TIMES, protocol_name="dreambooth"), whole=with_whole(25).whole)
    found = one(SECONDS, under, protocol="dreambooth")
    assert found.evidence == "run: only 2 of 25 prompts"


def test_the_whole_of_a_data_set_is_the_data_sets_own():
    found = whole_of([made("textboost", "dog6")])
    assert found.subjects == 30
    assert {live: len(ids) for live, ids in found.prompts.items()} == {True: 25, False: 25}
    assert whole_of([made("textboost", "dog6+cat")]) is None
    assert whole_of([made("textboost", "dog6", dataset="elsewhere")]) is None


def test_a_runs_own_count_is_named_where_it_differs():
    expression = "checkpoint_bytes(textual-inversion:toy, toy) < 1 MB"
    columns = {"stage": "save", "measure": "checkpoint_bytes", "kind": "exact"}

    def counted(value):
        costs = [("textual-inversion", [value] * 8, columns)]
        compute = {"precision": "fp16"}
        return study(costs=costs, compute=compute, backbone="toy", preset="toy")

    exact = one(expression)
    assert (exact.kind, exact.estimate) == ("exact", 1616)
    found = one(expression, counted(exact.estimate / 2))
    assert (found.verdict, found.estimate) == ("SUPPORTED", exact.estimate)
    assert found.evidence == f"{exact.evidence}; run run has 808 B (fp16)"
    assert one(expression, counted(exact.estimate)).evidence == exact.evidence


def test_toy_clip_is_never_clip_t():
    toy = study(two([0.5] * 8, [0.1] * 8, encoder="toy-clip"), backbone="toy", dataset="toyworld")
    found = one(DIFFERENCE, toy)
    assert found.verdict == "NOT MEASURED"
    assert "alignment was scored by toy-clip alone" in found.evidence
    found = one("difference(alignment, textboost, dreambooth) > 0", toy)
    assert (found.verdict, found.label) == ("SUPPORTED", "toy")


def test_two_encoders_are_never_mixed():
    both = study(
        [
            ("textboost", [0.5] * 8, {}),
            ("textboost", [0.9] * 8, {"encoder": "clip-vit-l-14"}),
        ]
    )
    found = one("mean(CLIP-T, textboost) > 0", both)
    assert found.verdict == "NOT MEASURED"
    assert "name one: CLIP-T@clip-vit-b-32" in found.evidence
    assert one("mean(CLIP-T@clip-vit-l-14, textboost) > 0", both).estimate == pytest.approx(0.9)


def test_seen_and_unseen_are_never_mixed():
    columns = {"metric": "fidelity", "encoder": "dino-vits16"}
    both = study(
        [
            ("textboost", [0.9] * 8, {**columns, "reference": "seen"}),
            ("textboost", [0.5] * 8, {**columns, "reference": "unseen"}),
        ]
    )
    assert one("mean(DINO, textboost) > 0", both).estimate == pytest.approx(0.5)
    assert one("mean(DINO.unseen, textboost) > 0", both).estimate == pytest.approx(0.5)
    assert one("mean(DINO.seen, textboost) > 0", both).estimate == pytest.approx(0.9)


def test_the_fields_names_mean_what_the_protocol_shows():
    """textboost-v2 sets negatives to 0: means of -0.2 and 0.4 are 0.1 raw and 0.2 as shown."""
    columns = {"metric": "fidelity", "encoder": "dinov2-vitl14", "reference": "unseen"}
    there = study([("textboost", [-0.2, 0.4] * 4, columns)], protocol_name="textboost-v2")
    assert one("mean(DINOv2, textboost) > 0", there).estimate == pytest.approx(0.2)
    assert one("mean(fidelity, textboost) > 0", there).estimate == pytest.approx(0.1)
    plain = study([("textboost", [-0.2, 0.4] * 4, columns)])
    assert one("mean(DINOv2, textboost) > 0", plain).estimate == pytest.approx(0.1)


def test_a_prediction_never_stands_in_for_a_measurement():
    columns = {"measure": "peak_cuda_allocated_bytes", "kind": "predicted"}
    there = study(costs=two([1e9] * 8, [2e9] * 8, **columns))
    found = one("ratio(peak_memory, textboost, dreambooth) < 1", there)
    assert found.verdict == "NOT MEASURED"


def test_memory_of_a_gpu_is_judged_where_there_was_one():
    columns = {"measure": "peak_cuda_allocated_bytes", "unit": "B"}
    gpu = {"device": "cuda", "gpus": [{"name": "A Card"}]}
    there = study(costs=two([9e9] * 8, [14e9] * 8, **columns), environment=gpu)
    found = one("ratio(peak_memory, textboost, dreambooth) < 0.7", there)
    assert found.verdict == "SUPPORTED"
    assert found.estimate == pytest.approx(9 / 14)
    assert "GPU: A Card" in found.evidence


def test_times_of_cells_on_unlike_machines_judge_nothing():
    one_, other = ({"device": "cuda", "gpus": [{"name": name}], "worker": {}} for name in "AB")
    there = study(costs=TIMES, environment=one_ | {"other_environments": [other]})
    found = one(SECONDS, there)
    assert found.verdict == "NOT MEASURED"
    assert "its cells were done on different machines: cuda, A; cuda, B" in found.evidence
    alike = study(costs=TIMES, environment=one_ | {"other_environments": [one_]})
    assert one(SECONDS, alike).verdict == "SUPPORTED"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"code": "1234", "other_environments": [{"code": "5678"}]},
            "made with different software (code 1234 | code 5678)",
        ),
        ({"earlier_not_known": True}, "made with software that is not known, for environment.json"),
    ],
)
def test_unlike_software_in_one_run_is_told_with_the_verdict(environment, said):
    """A cell's key covers its method and metrics alone."""
    scores = two([0.8] * 8, [0.7] * 8)
    expression = "difference(CLIP-T, textboost, dreambooth) > 0"
    alike = one(expression, study(scores, environment={"code": "1234"}))
    assert "software" not in f"{alike.label} {alike.evidence}"
    verdict = one(expression, study(scores, environment=environment))
    assert verdict.label == "mixed software"
    assert said in verdict.evidence


def test_random_weights_cost_what_true_ones_do_and_say_so():
    there = study(costs=TIMES, backbone="blank-sd15")
    found = one(SECONDS, there, backbone="sd15")
    assert (found.verdict, found.label) == ("SUPPORTED", "random weights")
    toyworld = study(costs=TIMES, backbone="blank-sd15", dataset="toyworld")
    assert one(SECONDS, toyworld, backbone="sd15").label == "toy, random weights"


def test_every_run_that_measures_a_claim_is_judged_apart():
    fast, slow = study(costs=TIMES, name="fast"), study(costs=two([700] * 8, [1] * 8), name="slow")
    other = study(costs=TIMES, name="other", backbone="sd14")
    verdicts = judge(claim(SECONDS, backbone="sd15"), [fast, other, slow], "mine")
    assert [(v.run, v.verdict) for v in verdicts] == [("fast", "SUPPORTED"), ("slow", "REFUTED")]


def test_the_evidence_names_what_moves_a_cost():
    compute = {"precision": "fp16", "attention": "sdpa", "optimizer": "foreach"}
    there = study(costs=TIMES, compute={**compute, "gradient_checkpointing": False})
    evidence = one(SECONDS, there).evidence
    assert "fp16, sdpa, foreach" in evidence
    assert "checkpointing" not in evidence
    assert "wall_seconds of stage train: 8 rows, 8 of 8 subjects" in evidence
    assert "sd15, 512 px" in evidence
    assert "cpu: a processor" in evidence


def test_a_claim_that_nothing_can_judge_says_why():
    known = Claim(id="c", sentence="s", source="a paper", unjudged="no such method here")
    (found,) = judge(known, [CONSTANT], "mine")
    assert (found.verdict, found.evidence) == ("NOT MEASURED", "no such method here")


def test_without_a_run_nothing_is_measured():
    found = one(DIFFERENCE)
    assert (found.verdict, found.evidence) == ("NOT MEASURED", "no run was given")
