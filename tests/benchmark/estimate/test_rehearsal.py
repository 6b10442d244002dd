"""What is predicted on fake tensors against what the same training really holds and computes."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch._subclasses import FakeTensorMode

from benchmark.estimate.cuda_rules import cuda_autocast
from benchmark.estimate.made_up import made_up_task
from benchmark.estimate.question import with_batch
from benchmark.estimate.rehearsal import NothingToWatchError, rehearse
from benchmark.estimate.weightless import converting, faking, fill, pipeline_of_shapes
from methods import get_method, method_names
from methods.interface import Compute, Method
from tests.methods.support import settings as tiny_settings
from tests.methods.tiny_xl import build_tiny_xl
from tests.tiny import RESOLUTION, open_tiny_pipeline
from textboost.compute import TrainResult

TRAINED = [name for name in method_names() if get_method(name).trains]
BATCH = 8


@cache
def seen(name, backbone, *, real, batch=BATCH, cached=False, **compute):
    """A rehearsal, made once for all tests that ask for the same."""
    settings, _ = with_batch(tiny_settings(name), batch)
    given = made_up_task(RESOLUTION, Compute(**compute))
    if real:
        pipe = open_tiny_pipeline(backbone)
        return rehearse(get_method(name), pipe, given, settings, cached_latents=cached)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    empty = faking(mode)
    pipe = fill(pipeline_of_shapes(str(backbone)), "fp32", empty, channels_last=False)
    with converting(empty):
        return rehearse(get_method(name), pipe, given, settings, fake=mode, cached_latents=cached)


@pytest.mark.parametrize("checkpointing", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", TRAINED)
def test_predicted_live_bytes_are_those_counted_on_real_steps(name, checkpointing, tiny_backbone):
    options = {"gradient_checkpointing": True} if checkpointing else {}
    counted = seen(name, tiny_backbone, real=True, **options)
    predicted = seen(name, tiny_backbone, real=False, **options)
    assert predicted.peak_bytes == pytest.approx(counted.peak_bytes, rel=0.01)
    assert predicted.peak_phase == counted.peak_phase
    for part, size in counted.peak_split.items():
        assert predicted.peak_split[part] == pytest.approx(size, rel=0.01, abs=2000), part
    assert sum(counted.peak_split.values()) == counted.peak_bytes
    assert predicted.flops == counted.flops
    assert predicted.pictures == counted.pictures == BATCH
    assert predicted.trainable_parameters == counted.trainable_parameters


def test_checkpointing_costs_a_forward_pass_and_saves_activations(tiny_backbone):
    kept = seen("dreambooth", tiny_backbone, real=False)
    again = seen("dreambooth", tiny_backbone, real=False, gradient_checkpointing=True)
    assert again.flops["unet"] > 1.15 * kept.flops["unet"]
    assert again.peak_bytes < kept.peak_bytes


def test_the_optimizers_state_is_two_copies_of_what_is_trained(tiny_backbone):
    found = seen("dreambooth", tiny_backbone, real=False)
    assert found.peak_split["optimizer"] == pytest.approx(8 * found.trainable_parameters, rel=0.02)


def test_plain_attention_keeps_its_maps(tiny_backbone):
    fused, plain = (
        seen("textual-inversion", tiny_backbone, real=False, attention=kind)
        for kind in ("sdpa", "math")
    )
    assert plain.peak_bytes > 1.2 * fused.peak_bytes


def test_cached_latents_leave_out_the_vae_alone(tiny_backbone):
    every, none = (
        seen("textual-inversion", tiny_backbone, real=False, cached=kept) for kept in (False, True)
    )
    assert every.flops["vae"] > 0
    assert none.flops == {**every.flops, "vae": 0}
    # What is kept of each picture, mean and deviation of its latents, is little.
    assert none.peak_bytes == pytest.approx(every.peak_bytes, rel=0.02)


def test_a_frozen_text_encoder_is_read_once(tiny_backbone):
    assert seen("dreambooth", tiny_backbone, real=False).flops["text_encoder"] == 0
    assert seen("textboost", tiny_backbone, real=False).flops["text_encoder"] > 0


def test_sdxls_vae_is_in_float32_in_half_precision_too(tiny_backbone, tmp_path):
    tiny = open_tiny_pipeline(tiny_backbone)
    folder = build_tiny_xl(tiny, tiny_backbone / "tokenizer", tmp_path / "xl")
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    empty = faking(mode)
    pipe = fill(pipeline_of_shapes(str(folder)), "fp16", empty)
    given = made_up_task(RESOLUTION, Compute(precision="fp16"))
    settings, _ = with_batch(tiny_settings("textual-inversion"), 1)
    with converting(empty), cuda_autocast():
        found = rehearse(get_method("textual-inversion"), pipe, given, settings, fake=mode)
    assert found.vae_dtype == torch.float32
    assert found.flops["text_encoder"] > 0


class Aside(Method):
    name = "aside"

    def train(self, pipe, task, settings):
        return TrainResult(1, [0.0], [0.0])


def test_a_method_with_a_loop_of_its_own_is_named(tiny_backbone):
    settings = tiny_settings("textual-inversion")
    with pytest.raises(NothingToWatchError, match="aside does not train by"):
        rehearse(Aside(), open_tiny_pipeline(tiny_backbone), made_up_task(32, Compute()), settings)


@pytest.mark.parametrize(
    ("name", "changes", "batch", "expected"),
    [
        ("textboost", {}, 6, (6, None, 0)),
        ("dreambooth", {}, 6, (3, 3, 3)),
        ("dreambooth", {"prior_preservation": False}, 6, (6, None, 0)),
        ("dreambooth", {"batch_size": 3, "prior_batch_size": 1}, None, (3, 1, 1)),
        ("custom-diffusion", {}, 6, (3, None, 3)),
        ("custom-diffusion", {"prior_images": 0}, 6, (6, None, 0)),
        ("custom-diffusion", {"variant": "original"}, 6, (6, None, 0)),
    ],
)
def test_class_pictures_take_half_of_a_batch(name, changes, batch, expected):
    settings, prior = with_batch(tiny_settings(name, **changes), batch)
    own, beside, count = expected
    assert (settings.batch_size, prior) == (own, count)
    if beside is not None:
        assert settings.prior_batch_size == beside


def test_an_odd_batch_cannot_be_halved():
    with pytest.raises(ValueError, match="5 pictures cannot be halved"):
        with_batch(tiny_settings("dreambooth"), 5)
    settings = replace(tiny_settings("dreambooth"), prior_preservation=False)
    assert with_batch(settings, 5)[0].batch_size == 5
