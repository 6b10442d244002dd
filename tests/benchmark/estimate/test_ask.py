"""Many questions: sweeps, refusals and what fits, with predictions made up or of the tiny model."""

from dataclasses import replace

import pytest

from benchmark.errors import UserError
from benchmark.estimate.ask import (
    GIB,
    Refusal,
    answers,
    as_json,
    chosen_methods,
    fit_as_json,
    fits,
    parse_sweep,
    swept,
)
from benchmark.estimate.prediction import predict
from benchmark.estimate.question import Prediction, Question

CONTRACT = {
    *("method", "preset", "backbone", "batch", "resolution", "precision", "attention"),
    *("optimizer", "checkpointing", "trainable_parameters", "checkpoint_bytes"),
    *("flops_per_step", "peak_bytes", "peak_phase", "peak_split"),
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))


def made_up(question: Question, peak: float) -> Prediction:
    return Prediction(
        method=question.method,
        preset=question.preset,
        backbone=question.backbone,
        batch=question.batch or 1,
        class_pictures=0,
        resolution=512,
        precision=question.precision,
        vae_precision="fp16",
        attention=question.attention,
        optimizer=question.optimizer,
        checkpointing=question.checkpointing,
        cached_latents=False,
        trainable_parameters=10,
        checkpoint_bytes=20,
        flops={"unet": 30},
        flops_per_step=30,
        peak_bytes=int(peak * GIB),
        peak_phase="forward",
        peak_split={"weights": 1, "gradients": 2, "optimizer": 3, "activations": 4},
    )


def test_all_methods_that_train_are_asked_and_names_may_have_presets():
    names = [name for name, _ in chosen_methods("all")]
    assert "textboost" in names
    assert "base" not in names
    assert len(names) >= 7
    assert chosen_methods("textboost:release, dreambooth") == [
        ("textboost", "release"),
        ("dreambooth", "paper"),
    ]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: chosen_methods("base"),
            "method 'base' is a control: it trains nothing to predict",
        ),
        (lambda: chosen_methods("txtboost"), "unknown method 'txtboost'; did you mean 'textboost'"),
        (lambda: chosen_methods("textboost:rel"), "of method 'textboost'; did you mean 'release'"),
        (lambda: parse_sweep("batch=1,x"), "--sweep batch=1,x: expected batch or resolution"),
        (lambda: parse_sweep("steps=1"), "expected batch or resolution"),
        (lambda: parse_sweep("batch=2,2"), "different whole numbers"),
        (lambda: Question("textboost", precision="fp8"), "unknown precision 'fp8'"),
        (lambda: Question("textboost", optimizer="8bit"), "known: fused, foreach"),
        (lambda: Question("textboost", batch=0), "batch 0: expected 1 or more"),
        (lambda: Question("textboost", resolution=500), "expected a multiple of 8"),
        (lambda: predict(Question("base")), "base is a control"),
    ],
)
def test_a_mistake_is_one_line(call, words):
    with pytest.raises(UserError, match=r"^[^\n]*$") as raised:
        call()
    assert words in str(raised.value)


def test_a_sweep_asks_each_question_with_each_value():
    questions = [Question("textboost"), Question("dreambooth")]
    name, values = parse_sweep("batch=2,4")
    found = swept(questions, name, values)
    asked = [(one.method, one.batch) for one in found]
    assert asked == [("textboost", 2), ("textboost", 4), ("dreambooth", 2), ("dreambooth", 4)]
    assert [one.resolution for one in swept(questions[:1], "resolution", [256])] == [256]


def test_the_largest_batch_that_fits_is_found_without_asking_for_smaller_ones():
    asked = []

    def ask(question):
        asked.append((question.checkpointing, question.batch))
        per_picture = 1.0 if question.checkpointing else 3.0
        return made_up(question, 4.0 + per_picture * question.batch)

    plain, again = fits([Question("textboost")], 12.5 * GIB, ask)
    assert (plain.fitting.batch, plain.above.batch) == (2, 4)
    assert (again.fitting.batch, again.above) == (8, None)
    assert asked == [(False, 8), (False, 4), (False, 2), (True, 8)]
    told = fit_as_json(plain)
    assert (told["largest_batch"], told["refused"]) == (2, None)
    assert told["fitting"]["peak_bytes"] == 10 * GIB


def test_exactly_full_fits_and_nothing_may_fit():
    full, *_ = fits([Question("textboost")], 4 * GIB, lambda question: made_up(question, 4.0))
    assert full.fitting.batch == 8
    none, *_ = fits([Question("textboost")], 4 * GIB - 1, lambda question: made_up(question, 4.0))
    assert (none.fitting, none.above.batch) == (None, 1)


def test_a_batch_that_cannot_be_is_passed_over():
    def ask(question):
        if question.batch == 1:
            return Refusal(question, "1 picture cannot be halved")
        return made_up(question, 9.0)

    found, *_ = fits([Question("dreambooth")], GIB, ask)
    assert (found.fitting, found.above.batch, found.refusal) == (None, 2, "")
    refused, *_ = fits([Question("x")], GIB, lambda question: Refusal(question, "never"))
    assert (refused.fitting, refused.above, refused.refusal) == (None, None, "never")


def test_what_a_method_cannot_do_is_listed_and_not_hidden(tiny_backbone):
    able = Question("textual-inversion", backbone=str(tiny_backbone), precision="fp32", batch=2)
    unable = replace(able, method="dreambooth", batch=3)
    found, refused = answers([able, unable])
    assert isinstance(found, Prediction)
    assert as_json(found).keys() >= CONTRACT
    assert as_json(found)["kinds"]["peak_bytes"] == "predicted"
    assert sum(found.peak_split.values()) == found.peak_bytes
    assert sum(found.flops.values()) == found.flops_per_step
    told = as_json(refused)
    assert "3 pictures cannot be halved" in told["refused"]
    assert told["peak_bytes"] is None
    with pytest.raises(UserError, match="cannot be halved"):
        answers([unable])


def test_predictions_are_kept_until_the_question_or_the_code_changes(tiny_backbone, monkeypatch):
    question = Question("textual-inversion", backbone=str(tiny_backbone), precision="fp32", batch=1)
    first = predict(question)
    monkeypatch.setattr(
        "benchmark.estimate.prediction._predict", lambda question, _: made_up(question, 1.0)
    )
    assert predict(question) == first
    assert predict(replace(question, batch=2)).peak_bytes == GIB
    monkeypatch.setattr("methods.code_version", lambda name: "another")
    assert predict(question).peak_bytes == GIB


def test_half_precision_halves_weights_and_rounds_to_the_allocators_sizes(tiny_backbone):
    question = Question("textual-inversion", backbone=str(tiny_backbone), precision="fp32", batch=1)
    full, half = predict(question), predict(replace(question, precision="fp16"))
    # Hundreds of small tensors take 512 bytes each, whatever their precision.
    assert 0.5 < half.peak_split["weights"] / full.peak_split["weights"] < 0.8
    assert half.flops == full.flops
    assert half.vae_precision == "fp16"
    assert full.peak_bytes % 512 == half.peak_bytes % 512 == 0
    assert half.checkpoint_bytes < full.checkpoint_bytes
