import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from methods import get_method, prior_preservation
from tests.methods.support import generate, photo, settings, task
from tests.methods.tiny_xl import build_tiny_xl, open_tiny_xl
from textboost.adapters import FILE

NAME = "dreambooth-lora"
METHOD = get_method(NAME)
# 4 transformers x self- and cross-attention x q, k, v, out.
UNET_LAYERS = 4 * 2 * 4
# 2 layers x q, k, v, out.
TEXT_LAYERS = 2 * 4


def chosen(**changes):
    return settings(NAME, **{"steps": 1, **changes})


def saved(pipe, given, folder):
    METHOD.save(pipe, task(), given, folder)
    assert [path.name for path in folder.iterdir()] == [FILE]
    return load_file(folder / FILE)


def test_published_settings():
    given = METHOD.Settings(**METHOD.presets["paper"])
    assert dataclasses.asdict(given) == {
        "steps": 500,
        "batch_size": 1,
        "learning_rate": 1e-4,
        "rank": 4,
        "identifier": "sks",
        "max_gradient_norm": 1.0,
        "train_text_encoder": False,
        "prior_preservation": False,
        "prior_weight": 1.0,
        "prior_images": 200,
        "prior_batch_size": 1,
    }
    xl = METHOD.Settings(**METHOD.presets["sdxl"])
    assert xl == dataclasses.replace(given, batch_size=4)


def test_the_presets_are_with_and_without_class_pictures_and_text_encoder():
    def switches(preset):
        given = METHOD.Settings(**METHOD.presets[preset])
        return given.prior_preservation, given.train_text_encoder

    assert switches("paper") == (False, False)
    assert switches("paper-prior") == (True, False)
    assert switches("paper-text-encoder") == (False, True)
    assert switches("paper-prior-text-encoder") == (True, True)


def test_the_prompt_has_the_identifier_and_the_class_noun():
    given = METHOD.Settings()
    assert METHOD.prompt("a {subject} on snow", task(), given) == "a sks dog on snow"


def test_prior_images_are_asked_for_before_training_and_only_where_wanted():
    asked = []
    told = task(prior_images=lambda *what: asked.append(what))
    METHOD.prepare(None, told, chosen())
    assert asked == []
    METHOD.prepare(None, told, chosen(prior_preservation=True, prior_images=3))
    assert asked == [("a photo of dog", 3)]


def test_the_class_term_counts_by_its_weight(open_pipe):
    def loss(**changes):
        given = chosen(prior_preservation=True, prior_images=3, **changes)
        return METHOD.train(open_pipe(), task(), given).losses[0]

    none, one, three = (loss(prior_weight=weight) for weight in (0.0, 1.0, 3.0))
    assert none > 0.5  # the photos' own term
    assert one - none > 0.5
    assert three - none == pytest.approx(3 * (one - none), rel=1e-4)


@pytest.mark.parametrize("with_text", [False, True])
def test_adapters_are_in_every_attention_of_the_unet_and_on_request_of_the_text_encoder(
    open_pipe, tmp_path, with_text
):
    pipe, given = open_pipe(), chosen(train_text_encoder=with_text, rank=3)
    METHOD.train(pipe, task(), given)
    weights = saved(pipe, given, tmp_path)
    unet = {key for key in weights if key.startswith("unet.")}
    text = weights.keys() - unet
    assert len(unet) == 2 * UNET_LAYERS
    for attention in ("attn1", "attn2"):
        for layer in ("to_q", "to_k", "to_v", "to_out.0"):
            found = [key for key in unet if f".{attention}.{layer}.lora.down." in key]
            assert [tuple(weights[key].shape) for key in found] == [(3, 16)] * 4
    assert len(text) == 2 * TEXT_LAYERS * with_text
    assert all(key.startswith("text_encoder.text_model.encoder.layers.") for key in text)
    for layer in ("q_proj", "k_proj", "v_proj", "out_proj"):
        assert sum(f".{layer}." in key for key in text) == 2 * 2 * with_text
    # Every second factor starts at zero: it was trained where it is not any more.
    assert all(weights[key].abs().max() > 0 for key in weights if ".up." in key)


def test_one_rate_for_all_adapters(open_pipe, tmp_path):
    # AdamW's first step is the rate itself; the second factors start at zero.
    pipe, given = open_pipe(), chosen(train_text_encoder=True, learning_rate=1e-3)
    METHOD.train(pipe, task(), given)
    weights = saved(pipe, given, tmp_path)
    steps = torch.cat([weights[key].abs().flatten() for key in weights if ".up." in key])
    assert len(steps) == (UNET_LAYERS + TEXT_LAYERS) * 4 * 16
    assert steps.median().item() == pytest.approx(1e-3, rel=1e-2)
    assert steps.max().item() < 1.01e-3


def test_the_base_is_in_half_precision_while_the_adapters_are_not(open_pipe):
    types = {}

    def look(network, _):
        for name, weight in network.named_parameters():
            types.setdefault("lora_" in name, set()).add(weight.dtype)

    pipe = open_pipe().to(torch.bfloat16)
    pipe.unet.register_forward_pre_hook(look)
    METHOD.train(pipe, task("bf16"), chosen())
    assert types == {True: {torch.float32}, False: {torch.bfloat16}}


@pytest.mark.parametrize(
    ("name", "resample"),
    [("dreambooth", Image.Resampling.BILINEAR), (NAME, Image.Resampling.LANCZOS)],
)
def test_the_resize_is_the_published_one(open_pipe, monkeypatch, name, resample):
    shown = []
    sample = prior_preservation.Latents.sample

    def spy(self, photos):
        shown.extend(np.asarray(photo) for _, photo in photos)
        return sample(self, photos)

    monkeypatch.setattr(prior_preservation.Latents, "sample", spy)
    given = settings(name, steps=1, batch_size=1, prior_preservation=True, prior_batch_size=1)
    told = task(prior_images=lambda prompt, count: [photo(48, 48, 3)])
    get_method(name).train(open_pipe(), told, given)
    for image, source in zip(shown, (photo(40, 40), photo(48, 48, 3)), strict=True):
        assert np.array_equal(image, np.asarray(source.resize((32, 32), resample)))


def test_the_gradient_of_all_adapters_together_is_clipped(open_pipe, monkeypatch):
    clipped = []
    clip = torch.nn.utils.clip_grad_norm_

    def spy(parameters, norm):
        clipped.append((sum(p.numel() for p in parameters), norm))
        return clip(parameters, norm)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spy)
    result = METHOD.train(open_pipe(), task(), chosen(train_text_encoder=True))
    assert clipped == [(result.trainable_parameters, 1.0)]


@pytest.mark.parametrize("lost", ["attn1.to_q.lora.down", "attn1.to_q.lora", "attn2.to_k.lora.up"])
def test_a_file_that_does_not_fit_is_refused(open_pipe, tmp_path, lost):
    pipe = open_pipe()
    METHOD.train(pipe, task(), chosen())
    weights = saved(pipe, chosen(), tmp_path)
    weights = {key.replace(lost, f"nowhere.{lost}"): value for key, value in weights.items()}
    save_file(weights, tmp_path / FILE)
    with pytest.raises(ValueError, match="the LoRA did not arrive in the pipeline"):
        METHOD.load(open_pipe(), task(), chosen(), tmp_path)


@pytest.mark.parametrize("with_text", [False, True])
def test_sdxl_trains_and_loads(open_pipe, tiny_backbone, tmp_path, with_text):
    folder = build_tiny_xl(open_pipe(), tiny_backbone / "tokenizer", tmp_path / "xl")
    pipe, fresh = open_tiny_xl(folder), open_tiny_xl(folder)
    given = chosen(steps=3, train_text_encoder=with_text)
    result = METHOD.train(pipe, task(), given)
    weights = saved(pipe, given, tmp_path / "checkpoint")
    parts = {key.split(".")[0] for key in weights}
    assert parts == {"unet", *(("text_encoder", "text_encoder_2") if with_text else ())}
    # The cross-attention's keys and values read both encoders: 32 wide.
    unet = 4 * (6 * 4 * (16 + 16) + 2 * 4 * (32 + 16))
    # Nothing reads the first text encoder's last layer.
    text = (2 * TEXT_LAYERS - 4) * 4 * 32 * with_text
    assert result.trainable_parameters == unet + text
    untouched = generate(fresh, "a sks dog")
    METHOD.load(fresh, task(), given, tmp_path / "checkpoint")
    assert np.array_equal(generate(fresh, "a sks dog"), generate(pipe, "a sks dog"))
    assert np.abs(generate(fresh, "a sks dog") - untouched).max() > 1e-3
