"""The library on its own, in a training loop of a few lines."""

from collections import Counter
from random import Random

import pytest
import torch

from textboost import tokens, train


def begin(pipe, seed=0, **settings):
    return train.begin(
        pipe,
        placeholder="<subject>",
        initialiser="red dog",
        augmentation_tokens={"<grid>": "nice dog", "<crop>": "clean"},
        generator=torch.Generator().manual_seed(seed),
        **settings,
    )


def fit(pipe, preserve, steps=15):
    """Pull the subject's encoding towards another prompt's; return how far others moved."""
    target = tokens.encode(pipe, ["a photo of the large jungle dog"]).detach()
    student = begin(pipe)
    optimizer = torch.optim.AdamW([student.rows, *student.lora], lr=2e-2)
    distances = []
    for _ in range(steps):
        states = tokens.encode(pipe, ["<grid> a photo of the <subject> dog, <crop>"])
        distance = (states - target).square().mean()
        kept = train.preservation_loss(pipe, ["a clean photo", "the jungle", ""])
        optimizer.zero_grad()
        (distance + (10.0 * kept if preserve else 0.0)).backward()
        optimizer.step()
        distances.append(distance.item())
    train.finish(pipe)
    return distances, kept.item()


def test_a_loop_of_ones_own_learns_and_the_files_carry_it(open_pipe, tmp_path):
    pipe, fresh = open_pipe(), open_pipe()
    distances, _ = fit(pipe, preserve=True)
    assert distances[-1] < 0.6 * distances[0]
    train.save(pipe, tmp_path, "<subject>", ["<grid>", "<crop>"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "augmentation_embeds.safetensors",
        "learned_embeds.safetensors",
        "pytorch_lora_weights.safetensors",
    ]

    train.load(fresh, tmp_path)
    prompts = ["a photo of the <subject> dog", "a clean photo"]
    assert torch.equal(tokens.encode(fresh, prompts), tokens.encode(pipe, prompts))
    assert "<grid>" not in fresh.tokenizer.get_added_vocab()
    tokens.load_tokens(fresh, tmp_path / train.AUGMENTATION_FILE)
    prompts = ["<grid> a photo of the <subject> dog, <crop>"]
    assert torch.equal(tokens.encode(fresh, prompts), tokens.encode(pipe, prompts))


def test_the_preservation_loss_holds_other_prompts_in_place(open_pipe):
    (_, free), (_, kept) = fit(open_pipe(), preserve=False), fit(open_pipe(), preserve=True)
    assert kept < 0.2 * free


def test_the_preservation_loss_starts_at_zero(open_pipe):
    pipe = open_pipe()
    begin(pipe)
    assert train.preservation_loss(pipe, ["a red dog", ""]).item() == pytest.approx(0, abs=1e-6)


def test_rows_and_factors_are_all_that_trains(open_pipe):
    pipe = open_pipe()
    student = begin(pipe, vectors=1, augmentation_vectors=1, rank=2)
    trainable = {id(p) for p in pipe.text_encoder.parameters() if p.requires_grad}
    assert trainable == {id(p) for p in (student.rows, *student.lora)}
    assert student.rows.shape == (3, 16)
    # Layers x rank x (4 attention matrices of 16 + 16, two of the MLP of 16 + 32).
    assert sum(p.numel() for p in student.lora) == 2 * 2 * (4 * 32 + 2 * 48)


def test_prompts_for_the_preservation_loss():
    drawn = train.prior_batch(["a house", "a tree"], ["a dog"], 5000, Random(0))
    shares = {prompt: count / 5000 for prompt, count in Counter(drawn).items()}
    expected = {"": 0.1, "a dog": 0.1, "a house": 0.4, "a tree": 0.4}
    assert shares == pytest.approx(expected, abs=0.03)
