"""What holds for every trained method: it learns, touches nothing else, saves, loads, repeats."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from methods import get_method
from tests.methods.support import SETTINGS, generate, photo, same, settings, state, task
from textboost.conditioning import encode
from textboost.loop import Latents, denoising_error, noise_scheduler
from textboost.photos import square

TRAINED = sorted(SETTINGS)
TEMPLATE = "a photo of the {subject}"


@pytest.fixture(scope="module")
def trained(open_pipe):
    """Per method: the pipeline after training, and what training returned."""
    made = {}

    def train(name):
        if name not in made:
            pipe = open_pipe()
            made[name] = pipe, get_method(name).train(pipe, task(), settings(name))
        return made[name]

    return train


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    def save(name):
        folder = tmp_path_factory.mktemp(name)
        get_method(name).save(trained(name)[0], task(), settings(name), folder)
        return folder

    return save


def held_out_error(pipe, prompt):
    """The photo's denoising error on noise and timesteps that training never drew."""
    generator = torch.Generator().manual_seed(987)
    latents = Latents(pipe, generator).sample([(None, square(photo(), 32))] * 32)
    noise = torch.randn(latents.shape, generator=generator)
    timesteps = torch.linspace(100, 990, 32).long()
    with torch.no_grad():
        states = encode(pipe, [prompt] * 32)
        errors = denoising_error(pipe, noise_scheduler(pipe), latents, noise, timesteps, states)
    return errors.mean().item()


@pytest.mark.parametrize("name", TRAINED)
def test_the_error_on_held_out_noise_goes_down(open_pipe, trained, name):
    pipe, result = trained(name)
    method = get_method(name)
    before = held_out_error(open_pipe(), TEMPLATE.format(subject="dog"))
    if name.startswith("dreambooth"):  # its words mean something to the untouched backbone as well
        before = held_out_error(open_pipe(), method.prompt(TEMPLATE, task(), settings(name)))
    after = held_out_error(pipe, method.prompt(TEMPLATE, task(), settings(name)))
    assert after < before - 0.002
    assert len(result.losses) == len(result.step_seconds) == settings(name).steps
    # Pictures of the class count: Custom Diffusion shows four beside four photos, DreamBooth two
    # beside two.
    assert result.step_pictures == [8 if name == "custom-diffusion" else 4] * len(result.losses)
    assert min(result.step_seconds) > 0


def without_adapters(network):
    """The weights below the adapters, by the names that they had before."""
    weights = {k.replace(".base_layer", ""): v for k, v in state(network).items()}
    added = ("lora_", "causal_adapter")
    return {key: value for key, value in weights.items() if not any(one in key for one in added)}


@pytest.mark.parametrize(
    ("name", "touched", "count"),
    [
        ("textual-inversion", set(), 2 * 16),
        ("dreambooth", {"unet"}, None),
        # LoRA: 4 transformers x 2 attentions x 4 layers x (4 x 16 + 16 x 4).
        ("dreambooth-lora", set(), 4 * 2 * 4 * 4 * (16 + 16)),
        # Keys and values of 4 layers of cross-attention and one row.
        ("custom-diffusion", {"unet"}, 4 * 2 * 16 * 16 + 16),
        # LoRA: 2 layers x 4 x (4 x 32 + 2 x 48); rows: "red", "dog" and 11 augmentations.
        ("textboost", set(), 2 * 4 * (4 * 32 + 2 * 48) + 13 * 16),
        # fc2 of 2 layers, "red".
        ("textboost-v2", set(), 2 * (32 + 16) + 16),
        # fc2 of the first layer, 4 layers of cross-attention, "red".
        ("textboost++", set(), 32 + 16 + 4 * (16 + 16) + 16),
    ],
)
def test_everything_else_stays_bit_for_bit(open_pipe, trained, name, touched, count):
    pipe, result = trained(name)
    original = open_pipe()
    for part in ("vae", "unet"):
        before, now = state(getattr(original, part)), without_adapters(getattr(pipe, part))
        assert same(now, before) == (part not in touched)
    # Every weight of the untouched text encoder, every old row of its table among them.
    now = without_adapters(pipe.text_encoder)
    for key, value in state(original.text_encoder).items():
        assert torch.equal(now[key][: len(value)], value), key
    expected = sum(p.numel() for p in original.unet.parameters()) if count is None else count
    assert result.trainable_parameters == expected


@pytest.mark.parametrize("name", TRAINED)
def test_nothing_of_the_training_is_left_in_the_pipeline(trained, name):
    pipe, _ = trained(name)
    for network in (pipe.vae, pipe.unet, pipe.text_encoder):
        assert not network.training
        for parameter in network.parameters():
            assert not parameter.requires_grad
            assert parameter.grad is None
            assert parameter.dtype == torch.float32
    assert type(pipe.text_encoder.get_input_embeddings()) is torch.nn.Embedding


@pytest.mark.parametrize("name", TRAINED)
def test_a_fresh_pipeline_with_the_files_makes_the_same_images(open_pipe, trained, saved, name):
    method, pipe, fresh = get_method(name), trained(name)[0], open_pipe()
    prompt = method.prompt(TEMPLATE, task(), settings(name))
    folder = saved(name)
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes <= {".safetensors", ".json"}
    untouched = generate(fresh, prompt)
    method.load(fresh, task(), settings(name), folder)
    assert np.array_equal(generate(fresh, prompt), generate(pipe, prompt))
    assert np.abs(generate(fresh, prompt) - untouched).max() > 1e-3


# What a checkpoint holds besides: words that a prompt may use, and the benchmark's do not.
UNUSED = {"textboost": {"augmentation_tokens"}}


@pytest.mark.parametrize("name", TRAINED)
def test_a_checkpoint_is_no_larger_than_it_must_be(open_pipe, trained, saved, tmp_path, name):
    """It holds as many numbers as were trained, and without a part of it the images are others."""
    method, (pipe, result), whole = get_method(name), trained(name), saved(name)
    numbers = [v.numel() for f in whole.rglob("*.safetensors") for v in load_file(f).values()]
    assert sum(numbers) == result.trainable_parameters
    prompt = method.prompt(TEMPLATE, task(), settings(name))
    expected = generate(pipe, prompt)

    def needed(part):
        fresh, folder = open_pipe(), tmp_path / part.replace("/", "-")
        without = shutil.ignore_patterns(part.rpartition("/")[2])
        shutil.copytree(whole, folder, ignore=without)
        try:
            method.load(fresh, task(), settings(name), folder)
            return not np.array_equal(generate(fresh, prompt), expected)
        except (OSError, ValueError):
            return True

    parts = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    unused = UNUSED.get(name, set())
    names = {p.parts[0] if p.parts[0] in unused else p.as_posix() for p in parts}
    assert {part for part in names if not needed(part)} == unused


@pytest.mark.parametrize("name", TRAINED)
def test_the_same_seed_gives_the_same_weights(open_pipe, tmp_path, name):
    method = get_method(name)

    def weights(seed, global_seed):
        pipe, folder = open_pipe(), tmp_path / f"{seed}-{global_seed}"
        torch.manual_seed(global_seed)  # must not matter
        method.train(pipe, task(seed=seed), settings(name, steps=3))
        method.save(pipe, task(), settings(name), folder)
        return {
            f"{file.relative_to(folder)}:{key}": value
            for file in sorted(folder.rglob("*.safetensors"))
            for key, value in load_file(file).items()
        }

    first = weights(0, 5)
    assert same(weights(0, 6), first)
    assert not same(weights(1, 5), first)


@pytest.mark.parametrize("name", TRAINED)
def test_every_preset_makes_settings_that_survive_json(name):
    method = get_method(name)
    assert {"paper", "toy"} <= method.presets.keys()
    for preset in method.presets.values():
        made = dataclasses.asdict(method.Settings(**preset))
        read = json.loads(json.dumps(made))
        back = {k: tuple(v) if isinstance(v, list) else v for k, v in read.items()}
        assert method.Settings(**back) == method.Settings(**preset)
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.Settings().steps = 1


@pytest.mark.parametrize("name", TRAINED)
def test_progress_is_reported_after_every_step(open_pipe, name):
    reports = []
    told = task(report=lambda *report: reports.append(report))
    result = get_method(name).train(open_pipe(), told, settings(name, steps=3))
    assert reports == [(n + 1, 3, loss) for n, loss in enumerate(result.losses)]


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_float32_masters_and_gives_the_pipeline_back_as_it_was(
    open_pipe, tmp_path, name, precision
):
    method = get_method(name)
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    pipe, fresh = open_pipe().to(half), open_pipe().to(half)
    told, chosen = task(precision=precision), settings(name, steps=2)
    result = method.train(pipe, told, chosen)
    assert np.isfinite(result.losses).all()
    for network in (pipe.vae, pipe.unet, pipe.text_encoder):
        assert {parameter.dtype for parameter in network.parameters()} == {half}
    method.save(pipe, told, chosen, tmp_path)
    method.load(fresh, told, chosen, tmp_path)
    prompt = [method.prompt(TEMPLATE, told, chosen)]
    assert torch.equal(encode(fresh, prompt).states, encode(pipe, prompt).states)
    # diffusers calls a loaded adapter "default_0".
    loaded = {k.replace("default_0", "default"): v for k, v in state(fresh.unet).items()}
    assert same(loaded, state(pipe.unet))
