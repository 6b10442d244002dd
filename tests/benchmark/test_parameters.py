"""Counts by the methods' own code on the true architectures."""

import pytest

from benchmark.backbones.architectures import ARCHITECTURES
from benchmark.parameters import meta_pipeline, trainable_parameters

# A corgi dog: two rows; the augmentation tokens of the paper's time: 18 rows of CLIP's sub-words.
V1_ROWS = 2 + 18


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))


@pytest.mark.parametrize(
    ("method", "preset", "sd15", "sd21"),
    [
        ("textual-inversion", "paper", 768, 1024),
        ("textboost", "paper", 663_552 + V1_ROWS * 768, 1_695_744 + V1_ROWS * 1024),
        ("textboost", "release", 221_184 + 15 * 768, 565_248 + 15 * 1024),
        ("textboost-v2", "paper", 46_080 + 768, 117_760 + 1024),
        ("textboost++", "paper", 66_816 + 768, 145_408 + 1024),
        ("dreambooth", "paper", 859_520_964, 865_910_724),
        ("dreambooth-lora", "paper", 797_184, 829_952),
        ("dreambooth-lora", "paper-text-encoder", 797_184 + 294_912, 829_952 + 753_664),
        ("custom-diffusion", "paper", 19_169_280 + 768, 25_559_040 + 1024),
    ],
)
def test_trainable_parameters_are_those_of_the_papers(method, preset, sd15, sd21):
    assert trainable_parameters(method, preset, "sd15") == sd15
    assert trainable_parameters(method, preset, "sd21-base") == sd21


@pytest.mark.parametrize("method", ["textual-inversion", "textboost", "dreambooth-lora"])
def test_these_methods_train_sdxl_as_well(method):
    assert trainable_parameters(method, "paper", "sdxl") > 0


def test_what_a_method_refuses_has_no_count():
    assert trainable_parameters("custom-diffusion", "paper", "sdxl") is None


def test_controls_train_nothing():
    assert trainable_parameters("base", "paper", "sd15") == 0


def test_the_count_is_kept_until_the_code_changes(monkeypatch, tmp_path):
    first = trainable_parameters("textual-inversion", "paper", "sd15")
    monkeypatch.setattr("benchmark.parameters._count", lambda *_: 7)
    assert trainable_parameters("textual-inversion", "paper", "sd15") == first
    monkeypatch.setattr("methods.code_version", lambda name: "another")
    assert trainable_parameters("textual-inversion", "paper", "sd15") == 7


def test_the_pipeline_has_shapes_but_no_weights():
    pipe = meta_pipeline(ARCHITECTURES["sd15"])
    assert {p.device.type for p in pipe.unet.parameters()} == {"meta"}
    assert pipe.tokenizer("sks").input_ids == [49406, 48136, 49407]
