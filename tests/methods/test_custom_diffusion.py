from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

from benchmark.backbones.architectures import ARCHITECTURES
from benchmark.parameters import meta_pipeline
from methods import custom_diffusion, get_method
from methods.interface import Companion, TrainResult
from tests.methods.support import generate, photo, same, settings, state, task
from textboost.conditioning import Conditioning
from textboost.keys_values import layers_of
from textboost.loop import denoising_error, noise_scheduler
from textboost.photos import mirrored
from textboost.rescaling import FAR, NEAR
from textboost.tokens import token_rows

NAME = "custom-diffusion"
METHOD = get_method(NAME)
WORDS = {*FAR, *NEAR, ""}
PAIR = {"companions": (Companion("cup", "red cup", "blue", (photo(seed=5), photo(seed=6))),)}


def train(pipe, told=None, **changes):
    return METHOD.train(pipe, told or task(), settings(NAME, **{"steps": 1, **changes}))


@pytest.fixture
def run_with(open_pipe, monkeypatch):
    """What `run` is called with, without running it."""

    def call(told=None, pipe=None, **changes):
        caught = {}

        def catch(*_, **given):
            caught.update(given)
            return TrainResult(0, [], [])

        monkeypatch.setattr(custom_diffusion, "run", catch)
        train(pipe or open_pipe(), told, **changes)
        return SimpleNamespace(**caught)

    return call


def prompts_of(batches):
    """The prompts from "photo of" on, and the set of what stands before: "a " for the class."""
    prompts = [prompt for batch in batches for prompt in batch.prompts]
    said = {prompt[: prompt.index("photo of")] for prompt in prompts}
    return [prompt[prompt.index("photo of") :] for prompt in prompts], said


def test_the_prompt_has_the_word_and_the_class_noun():
    chosen = METHOD.Settings()
    assert METHOD.prompt("a {subject} on snow", task(), chosen) == "a <subject> dog on snow"
    pair = METHOD.prompt("a {subject} on snow", task(**PAIR), chosen)
    assert pair == "a <subject> dog and <subject-2> red cup on snow"


def test_class_pictures_are_dreambooths_and_each_concept_has_its_own(open_pipe):
    asked = []

    def make(prompt, count):
        asked.append((prompt, count))
        return []

    METHOD.prepare(open_pipe(), task(prior_images=make, **PAIR), METHOD.Settings())
    assert asked == [("a photo of dog", 200), ("a photo of red cup", 200)]
    dreambooth = get_method("dreambooth")
    dreambooth.prepare(open_pipe(), task(prior_images=make), dreambooth.Settings())
    assert asked[2] == asked[0]


def test_only_keys_and_values_and_the_new_row_change(open_pipe):
    pipe, original = open_pipe(), state(open_pipe().unet)
    train(pipe)
    trained = layers_of(pipe).keys()
    now = state(pipe.unet)
    assert {key for key in now if not torch.equal(now[key], original[key])} == trained


def test_what_is_trained_is_float32_in_a_half_precision_pipeline(open_pipe):
    pipe, seen = open_pipe().to(torch.bfloat16), []

    def look(*_):
        seen.append({key: value.dtype for key, value in pipe.unet.state_dict().items()})

    train(pipe, task(precision="bf16", report=look))
    for key, dtype in seen[0].items():
        assert dtype == (torch.float32 if key in layers_of(pipe) else torch.bfloat16)


def test_the_first_position_teaches_nothing(open_pipe, monkeypatch):
    """With text that is zero but at its first position only the weight decay is left."""

    def encode_start(pipe, prompts, whole):
        states = torch.zeros(len(prompts), 32, 16)
        states[:, 0] = 1.0
        return Conditioning(states)

    pipe, fresh = open_pipe(), open_pipe()
    monkeypatch.setattr(custom_diffusion, "encode", encode_start)
    train(pipe, learning_rate=0.1)
    for key, layer in layers_of(pipe).items():
        decayed = layers_of(fresh)[key].weight * (1 - 0.1 * 1e-2)
        assert torch.allclose(layer.weight, decayed, rtol=0, atol=1e-7)
        assert not layer._forward_hooks


def test_photos_and_class_pictures_count_as_published(run_with):
    batch = run_with(batch_size=2).batch()
    assert batch.weights.tolist() == [2.0, 2.0, 0.5, 0.5]  # 4 channels, 2 pictures
    assert [("<subject>" in prompt) for prompt in batch.prompts] == [True, True, False, False]
    batch = run_with(batch_size=2, prior_weight=3.0).batch()
    assert batch.weights.tolist() == [2.0, 2.0, 1.5, 1.5]
    batch = run_with(batch_size=4, variant="original").batch()
    assert batch.weights.tolist() == [1.0] * 4


@pytest.mark.parametrize("variant", ["diffusers", "original"])
def test_the_loss_is_the_published_one(open_pipe, run_with, variant):
    pipe = open_pipe()
    shown = run_with(pipe=pipe, variant=variant, batch_size=4).batch()
    count = len(shown.prompts)
    noise = torch.randn(shown.latents.shape, generator=torch.Generator().manual_seed(1))
    zeros = SimpleNamespace(sample=torch.zeros_like(noise))
    unet = type("Unet", (), {"dtype": torch.float32, "__call__": lambda *_: zeros})()
    timesteps = torch.full((count,), 500)
    errors = denoising_error(
        SimpleNamespace(unet=unet),
        noise_scheduler(pipe),
        shown.latents,
        noise,
        timesteps,
        Conditioning(torch.zeros(count, 32, 16)),
        shown.masks,
    )
    # The prediction is 0, so the squared error is that of the noise itself.
    masked = (noise**2 * shown.masks).sum(dim=(1, 2, 3)) / shown.masks.sum(dim=(1, 2, 3))
    expected = masked.mean()
    if variant == "diffusers":
        expected = masked[:4].mean() + (noise[4:] ** 2).mean()
    torch.testing.assert_close((errors * shown.weights).sum(), expected)


def test_a_step_shows_photos_and_as_many_class_pictures(run_with):
    given = run_with(batch_size=5)
    batches = [given.batch() for _ in range(30)]
    prompts, said = prompts_of(batches)
    assert prompts == (["photo of a <subject> dog"] * 5 + ["photo of dog"] * 5) * 30
    assert said == WORDS | {"a "}
    for batch in batches:
        assert batch.latents.shape == (10, 4, 16, 16)
        assert (batch.masks[5:] == 1).all()
        assert (batch.masks[:5].sum(dim=(1, 2, 3)) >= 1).all()


def test_the_original_mixes_photos_and_class_pictures(run_with):
    given = run_with(batch_size=8, variant="original")
    prompts, said = prompts_of(given.batch() for _ in range(60))
    assert len(prompts) == 480
    assert prompts.count("photo of a <subject> dog") == prompts.count("photo of dog") == 240
    assert said == WORDS | {"a "}


def test_the_original_shows_two_concepts_in_equal_parts(run_with):
    batch = run_with(task(**PAIR), batch_size=8, variant="original").batch()
    nouns = [prompt.rsplit(" ", 1)[1] for prompt in batch.prompts]
    assert nouns == ["dog"] * 4 + ["cup"] * 4
    assert batch.weights.tolist() == [1.0] * 8  # the concepts' losses, means over 4, are added


@pytest.mark.parametrize("variant", ["diffusers", "original"])
def test_without_class_pictures_photos_are_all_there_is(run_with, variant):
    given = run_with(variant=variant, prior_images=0, batch_size=6)
    prompts, _ = prompts_of([given.batch()])
    assert prompts == ["photo of a <subject> dog"] * 6


def test_without_augmentation_the_photo_fills_the_picture(run_with):
    shown = run_with(augmentation=False, batch_size=3).batch()
    assert prompts_of([shown])[1] == {"", "a "}
    # Nothing of it is padding: all 16 x 16 cells count.
    assert (shown.masks.sum(dim=(1, 2, 3)) == 16 * 16).all()


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_photos_and_class_pictures_are_mirrored(run_with, monkeypatch, flip):
    shown = []
    sample = custom_diffusion.Latents.sample

    def spy(self, photos):
        shown.extend(photos)
        return sample(self, photos)

    monkeypatch.setattr(custom_diffusion.Latents, "sample", spy)
    run_with(flip_probability=flip, augmentation=False, prior_images=1, batch_size=1).batch()
    plain = [photo().resize((32, 32), Image.Resampling.BILINEAR), photo(32, 32, 10)]
    for (_, image), expected in zip(shown, plain, strict=True):
        wanted = mirrored(expected) if flip else expected
        assert np.abs(np.asarray(image, float) - np.asarray(wanted, float)).max() <= 1


def test_class_pictures_that_are_not_square_are_cropped_anew_each_time(run_with, open_pipe):
    for variant, encoded_again in (("diffusers", 3), ("original", 0)):
        encoded, pipe = [], open_pipe()
        wide = task(prior_images=lambda prompt, count: [photo(60, 40)])
        chosen = {"variant": variant, "batch_size": 1, "flip_probability": 0.0, "prior_images": 1}
        given = run_with(wide, pipe, **chosen)
        pipe.vae.encoder.register_forward_pre_hook(lambda _, b, seen=encoded: seen.append(b[0]))
        batches = [given.batch() for _ in range(6)]
        photos = sum("<subject>" in prompt for batch in batches for prompt in batch.prompts)
        pictures = sum(len(batch) for batch in encoded)
        assert pictures == photos + (6 if encoded_again else 1)


def test_one_rate_and_one_norm_over_all_that_is_trained(run_with, open_pipe):
    given = run_with(learning_rate=0.5)
    groups = given.optimizer.param_groups
    assert [group["lr"] for group in groups] == [0.5, 0.5]
    trained = [id(parameter) for group in groups for parameter in group["params"]]
    assert [id(parameter) for parameter in given.clipped] == trained
    assert len(trained) == 8 + 1
    assert given.max_norm == 1.0
    assert [g["lr"] for g in run_with(token_learning_rate=0.25).optimizer.param_groups][1] == 0.25
    original = METHOD.Settings(**METHOD.presets["original"])
    assert run_with(max_gradient_norm=original.max_gradient_norm).clipped == ()


def test_the_published_rates():
    for preset, rate in (("paper", 4e-5), ("paper-two-gpus", 8e-5), ("original", 8e-5)):
        chosen = METHOD.Settings(**METHOD.presets[preset])
        pictures = chosen.batch_size * (2 if chosen.variant == "diffusers" else 1)
        assert chosen.learning_rate == pytest.approx(1e-5 * pictures) == rate


def test_on_clips_vocabulary_the_words_start_from_rare_pieces(open_pipe):
    pipe = open_pipe()
    pipe.tokenizer = meta_pipeline(ARCHITECTURES["sd15"]).tokenizer
    config = CLIPTextConfig(vocab_size=49408, hidden_size=16, intermediate_size=16,
                            num_hidden_layers=1, num_attention_heads=2)  # fmt: skip
    pipe.text_encoder = CLIPTextModel(config)
    table = pipe.text_encoder.get_input_embeddings().weight.detach().clone()
    more = [Companion(noun, noun, "", (photo(),)) for noun in ("cat", "cup", "dog")]
    train(pipe, task(companions=tuple(more)), steps=0)
    dog = pipe.tokenizer("dog", add_special_tokens=False).input_ids
    names = ("<subject>", "<subject-2>", "<subject-3>", "<subject-4>")
    for name, start in zip(names, (42170, 47629, 43514, *dog), strict=True):
        assert torch.equal(token_rows(pipe, name)[0][0], table[start])


def test_on_other_vocabularies_they_start_from_the_class_noun(open_pipe):
    def row(*pieces, **changes):
        pipe = open_pipe()
        train(pipe, task(class_noun="red dog"), steps=0, **changes)
        ids = pipe.tokenizer.convert_tokens_to_ids(list(pieces))
        table = pipe.text_encoder.get_input_embeddings().weight
        return token_rows(pipe, "<subject>")[0], table[ids].mean(dim=0, keepdim=True)

    assert torch.equal(*row("dog</w>"))
    torch.testing.assert_close(*row("t", "o", "y</w>", initialiser="toy"))


def test_two_concepts_are_learned_saved_and_loaded(open_pipe, tmp_path):
    told, pipe, fresh = task(**PAIR), open_pipe(), open_pipe()
    chosen = settings(NAME, steps=6)
    started = open_pipe()
    METHOD.train(started, told, settings(NAME, steps=0))
    METHOD.train(pipe, told, chosen)
    for name in ("<subject>", "<subject-2>"):
        moved = token_rows(pipe, name)[0] - token_rows(started, name)[0]
        assert moved.abs().max() > 1e-2
    METHOD.save(pipe, told, chosen, tmp_path)
    names = ["custom_diffusion.safetensors", "learned_embeds.safetensors"]
    assert sorted(f.name for f in tmp_path.iterdir()) == [*names, "learned_embeds_2.safetensors"]
    METHOD.load(fresh, told, chosen, tmp_path)
    assert same(state(fresh.unet), state(pipe.unet))
    assert same(state(fresh.text_encoder), state(pipe.text_encoder))
    prompt = METHOD.prompt("a photo of the {subject}", told, chosen)
    assert np.array_equal(generate(fresh, prompt), generate(pipe, prompt))


def test_the_checkpoint_is_what_was_trained_and_no_more(open_pipe, tmp_path):
    pipe, chosen = open_pipe(), settings(NAME, steps=1)
    result = METHOD.train(pipe, task(), chosen)
    METHOD.save(pipe, task(), chosen, tmp_path)
    saved = [load_file(file) for file in tmp_path.iterdir()]
    assert sum(v.numel() for file in saved for v in file.values()) == result.trainable_parameters
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2064 * 4 + 2000


def test_sdxl_is_refused():
    two = SimpleNamespace(tokenizer=0, text_encoder=0, tokenizer_2=0, text_encoder_2=0)
    for step in (METHOD.prepare, METHOD.train):
        with pytest.raises(ValueError, match="published for one text encoder"):
            step(two, task(), METHOD.Settings())


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match='variant "orignal": expected diffusers, original'):
        METHOD.Settings(variant="orignal")


@pytest.mark.parametrize("variant", ["diffusers", "original"])
@pytest.mark.parametrize(
    ("architecture", "keys_and_values", "row"),
    [("sd15", 19_169_280, 768), ("sd21-base", 25_559_040, 1024)],
)
def test_the_published_number_of_parameters(architecture, keys_and_values, row, variant):
    pipe = meta_pipeline(ARCHITECTURES[architecture])
    layers = layers_of(pipe).values()
    assert sum(layer.weight.numel() for layer in layers) == keys_and_values
    chosen = METHOD.Settings(steps=0, variant=variant)
    result = METHOD.train(pipe, task(resolution=512), chosen)
    assert result.trainable_parameters == keys_and_values + row
