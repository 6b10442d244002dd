"""The library on its own, as a stranger uses it."""

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch

import textboost
from tests.methods.support import PRIOR_PROMPTS, generate, photo, same, state
from tests.methods.tiny_xl import build_tiny_xl, open_tiny_xl
from tests.tiny import open_tiny_pipeline
from textboost import tokens, training
from textboost.conditioning import encode
from textboost.recipe import Recipe

DOG = textboost.Concept((photo(),), "dog", "red")
PHOTO_OF_RED = textboost.Concept((photo(seed=1),), "rendering", "cool")
QUICK = Recipe(
    steps=20,
    batch_size=4,
    learning_rate=1e-2,
    token_learning_rate=5e-2,
    prior_batch_size=4,
    augmentation_vectors=1,
)
# The release's quirks on few words: the tiny tokenizer spells most of them letter by letter.
RELEASE = replace(QUICK, quoted_prompt=True, fixed_start=True, augmentation_tokens=False)


@pytest.fixture(scope="module")
def open_xl(tiny_backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("xl")
    tiny = open_tiny_pipeline(tiny_backbone)
    built = build_tiny_xl(tiny, tiny_backbone / "tokenizer", folder)
    return lambda: open_tiny_xl(built)


def train(pipe, *concepts, recipe=QUICK, **options):
    return textboost.train(
        pipe, concepts or [DOG], recipe=recipe, captions=PRIOR_PROMPTS, resolution=32, **options
    )


def shown(pipe, monkeypatch, *concepts, **options):
    """The prompts of a training's photos."""
    seen = []
    original = training.encode

    def spy(pipe, prompts, **reading):
        seen.extend(prompts)
        return original(pipe, prompts, **reading)

    monkeypatch.setattr(training, "encode", spy)
    train(pipe, *concepts, **options)
    return seen


def test_trained_saved_and_loaded_by_the_plain_calls(open_pipe, tmp_path):
    pipe, fresh = open_pipe(), open_pipe()
    result = train(pipe)
    assert len(result.losses) == QUICK.steps
    textboost.save(pipe, tmp_path, QUICK)
    assert textboost.load(fresh, tmp_path) == ["<subject>"]
    prompt = "a photo of the <subject> dog"
    assert np.array_equal(generate(fresh, prompt), generate(pipe, prompt))
    assert "<grid>" not in fresh.tokenizer.get_added_vocab()
    tokens.load_token(fresh, "<grid>", tmp_path / training.AUGMENTATION_FOLDER / "grid.safetensors")
    prompts = ["<grid> a photo of the <subject> dog"]
    assert torch.equal(encode(fresh, prompts).states, encode(pipe, prompts).states)


def test_two_concepts_each_have_a_word_of_their_own(open_pipe, tmp_path, monkeypatch):
    pipe, fresh = open_pipe(), open_pipe()
    prompts = shown(pipe, monkeypatch, DOG, PHOTO_OF_RED)
    both = Counter(("<subject-2> rendering" in p, "<subject> dog" in p) for p in prompts)
    assert both.keys() == {(True, False), (False, True)}
    textboost.save(pipe, tmp_path, QUICK, concepts=2)
    assert textboost.load(fresh, tmp_path) == ["<subject>", "<subject-2>"]
    prompt = "a <subject> dog and a <subject-2> rendering"
    assert np.array_equal(generate(fresh, prompt), generate(pipe, prompt))


def test_style_prompts_name_no_class(open_pipe, monkeypatch):
    recipe = replace(QUICK, templates="style", augmentation="style", augmentation_vectors=1)
    prompts = shown(open_pipe(), monkeypatch, recipe=recipe)
    assert all("in the style of <subject>" in prompt for prompt in prompts)
    assert not any("<subject> dog" in prompt for prompt in prompts)


@pytest.fixture
def short_prompts(monkeypatch):
    """The tiny tokenizer spells what it does not know, and its context is short."""
    monkeypatch.setitem(training.TEMPLATES, "imagenet", ("{subject}",))


def test_the_releases_prompt_is_a_printed_list_without_the_class(
    open_pipe, monkeypatch, short_prompts
):
    prompts = shown(open_pipe(), monkeypatch, recipe=replace(RELEASE, steps=3, vectors=1))
    # First the empty prompt, whose states are held.
    assert prompts == ["", *["['<subject>']"] * (3 * 4)]
    pipe = open_pipe()
    tokens.add_token(pipe, "<subject>", tokens.initial_rows(pipe, "red dog"))
    assert training.quoted(pipe, "a {subject}", "<subject>") == "a ['<subject>', '<subject>_1']"


def test_the_release_holds_the_start_and_the_empty_prompt_while_it_trains(open_pipe):
    pipe, untouched = open_pipe(), open_pipe()
    train(pipe, recipe=replace(QUICK, augmentation_tokens=False))
    original = encode(untouched, ["", "a dog"]).states
    free = encode(pipe, ["", "a dog"]).states
    assert not torch.equal(free[0], original[0])
    with training.fixed_start(pipe):
        held = encode(pipe, ["", "a dog"]).states
    assert torch.equal(held[0], original[0])
    assert torch.equal(held[1, 0], original[1, 0])
    assert torch.equal(held[1, 1:], free[1, 1:])
    assert torch.equal(encode(pipe, ["", "a dog"]).states, free)


def test_rows_are_cut_to_the_tables_mean_length(open_pipe):
    pipe = open_pipe()
    table = pipe.text_encoder.get_input_embeddings().weight
    mean = table.norm(dim=1).mean().item()
    recipe = replace(QUICK, max_row_norm="mean", token_learning_rate=1.0, vectors=1)
    train(pipe, recipe=recipe)
    assert tokens.token_rows(pipe, "<subject>")[0].norm().item() <= mean * 1.0001
    free = open_pipe()
    train(free, recipe=replace(recipe, max_row_norm=0.0))
    assert tokens.token_rows(free, "<subject>")[0].norm().item() > 2 * mean


def test_the_dead_tokens_of_the_release_never_change(open_pipe, monkeypatch, short_prompts):
    pipe = open_pipe()
    release = training.augmentation.SETS["release"]
    geometry = replace(release, groups=release.groups[:1])
    monkeypatch.setitem(training.augmentation.SETS, "release", geometry)
    recipe = replace(QUICK, augmentation="release", augmentation_probability=1.0, steps=4)
    # Weight decay is all that reaches the rows of tokens that no prompt names.
    recipe = replace(recipe, vectors=1, token_learning_rate=1e-2)
    start = {t: tokens.initial_rows(pipe, w, 1)[0] for t, w in RELEASE_TOKENS.items()}
    train(pipe, recipe=recipe)
    for token, before in start.items():
        after = tokens.token_rows(pipe, token)[0]
        decayed = before * (1 - 1e-2 * 1e-2) ** recipe.steps
        is_dead = token in training.augmentation.SETS["release"].dead
        assert torch.allclose(after, decayed, atol=1e-6) == is_dead, token


RELEASE_TOKENS = {
    token: words
    for token, words in training.augmentation.SETS["release"].tokens.items()
    if token in ("<left>", "<right>", "<hflip>", "<crop>")
}


def test_an_sdxl_pipeline_trains_both_text_encoders(open_xl, tmp_path):
    pipe, fresh, untouched = open_xl(), open_xl(), open_xl()
    recipe = replace(QUICK, steps=3, augmentation_tokens=False)
    train(pipe, recipe=recipe)
    assert same(state(pipe.unet), state(untouched.unet))
    textboost.save(pipe, tmp_path, recipe)
    textboost.load(fresh, tmp_path)
    prompt = "a photo of the <subject> dog"
    assert np.array_equal(generate(fresh, prompt), generate(pipe, prompt))
    one, two = tokens.token_rows(pipe, "<subject>")
    started = tokens.initial_rows(untouched, "red dog")
    assert not torch.equal(one, started[0])
    assert not torch.equal(two, started[1])
    with pytest.raises(ValueError, match="this backbone has two"):
        train(open_xl(), recipe=RELEASE)


def test_the_preservation_loss_is_its_definition_in_float64(open_pipe):
    pipe, untouched = open_pipe(), open_pipe()
    train(pipe)
    prompts = ["a red dog", "", "the large jungle"]
    total, positions = 0.0, 0
    for prompt in prompts:
        student, teacher = (encode(p, [prompt]).states[0].double() for p in (pipe, untouched))
        for one, other in zip(student.tolist(), teacher.tolist(), strict=True):
            dot = sum(a * b for a, b in zip(one, other, strict=True))
            lengths = (sum(a * a for a in one) * sum(b * b for b in other)) ** 0.5
            total, positions = total + 1 - dot / lengths, positions + 1
    assert positions == 3 * 32
    loss = training.preservation_loss(pipe, prompts).item()
    assert loss == pytest.approx(total / positions, rel=1e-4)
    assert loss > 1e-4


def test_prompts_for_the_preservation_loss():
    drawn = training.prior_batch(["a house", "a tree"], ["a dog"], 5000, Random(0))
    shares = {prompt: count / 5000 for prompt, count in Counter(drawn).items()}
    expected = {"": 0.1, "a dog": 0.1, "a house": 0.4, "a tree": 0.4}
    assert shares == pytest.approx(expected, abs=0.03)


def test_what_is_not_there_is_refused(open_pipe):
    with pytest.raises(ValueError, match="needs captions"):
        textboost.train(open_pipe(), [DOG])
    with pytest.raises(ValueError, match='adapter "laura": expected lora, causal'):
        train(open_pipe(), recipe=replace(QUICK, adapter="laura"))
