"""TextBoost v2 and TextBoost++ as methods; what their adapters do: tests/textboost/test_causal."""

import pytest
import torch

from methods import get_method
from methods.interface import Companion
from tests.methods.support import generate, photo, settings, task
from textboost import causal, tokens, training
from textboost.conditioning import encode

BOTH = ["textboost-v2", "textboost++"]


@pytest.mark.parametrize(("name", "steps"), [("textboost-v2", 100), ("textboost++", 80)])
def test_published_settings(name, steps):
    method = get_method(name)
    given = method.Settings(**method.presets["paper"])
    assert (given.steps, given.batch_size, given.rank) == (steps, 8, 1)
    assert (given.learning_rate, given.token_learning_rate) == (1e-4, 1e-3)
    assert given.max_row_norm == 0.43
    assert method.prompt("a {subject} on snow", task(), given) == "a <subject> dog on snow"


@pytest.mark.parametrize("name", BOTH)
def test_none_of_v1s_techniques(open_pipe, monkeypatch, name):
    read, weights = [], []

    def encode_and_note(pipe, prompts, whole=False, expand=True):
        read.extend(prompts)
        return encode(pipe, prompts, whole, expand)

    original = training.run

    def run_and_note(*args, **given):
        weights.append(given["timestep_weights"](torch.linspace(0.9, 0.1, 50)))
        assert given["extra_loss"] is None
        return original(*args, **given)

    monkeypatch.setattr(training, "encode", encode_and_note)
    monkeypatch.setattr(training, "run", run_and_note)
    # No captions either: nothing has to be preserved.
    pipe = open_pipe()
    get_method(name).train(pipe, task(prior_prompts=()), settings(name, steps=5))
    assert len(read) == 5 * 4
    assert all("<subject> dog" in prompt for prompt in read)
    assert weights[0].tolist() == pytest.approx([1 / 50] * 50)
    assert list(pipe.tokenizer.get_added_vocab().keys() & {"<grayscale>", "<crop>"}) == []


@pytest.mark.parametrize("name", BOTH)
def test_the_token_starts_from_the_descriptor_and_stays_short(open_pipe, name):
    pipe = open_pipe()
    (red,) = tokens.initial_rows(pipe, "red")
    get_method(name).train(pipe, task(), settings(name, steps=0))
    assert torch.equal(tokens.token_rows(pipe, "<subject>")[0], red)
    free, short = open_pipe(), open_pipe()
    get_method(name).train(free, task(), settings(name, steps=2))
    get_method(name).train(short, task(), settings(name, steps=2, max_row_norm=0.43))
    assert tokens.token_rows(free, "<subject>")[0].norm() > 1
    assert tokens.token_rows(short, "<subject>")[0].norm().item() == pytest.approx(0.43)


def test_without_a_descriptor_the_token_starts_from_the_class_noun(open_pipe):
    pipe = open_pipe()
    get_method("textboost-v2").train(pipe, task(descriptor=""), settings("textboost-v2", steps=0))
    (dog,) = tokens.initial_rows(pipe, "dog")
    assert torch.equal(tokens.token_rows(pipe, "<subject>")[0], dog)


@pytest.mark.parametrize("name", BOTH)
def test_two_concepts_train_save_and_load(open_pipe, tmp_path, name):
    method, given = get_method(name), settings(name, steps=3)
    both = task(companions=(Companion("cat_a", "large", "", (photo(seed=3),)),))
    pipe, fresh = open_pipe(), open_pipe()
    method.train(pipe, both, given)
    method.save(pipe, both, given, tmp_path)
    method.load(fresh, both, given, tmp_path)
    prompt = method.prompt("a {subject}", both, given)
    assert prompt == "a <subject> dog and <subject-2> large"
    assert (generate(fresh, prompt) == generate(pipe, prompt)).all()
    assert (generate(fresh, prompt) != generate(open_pipe(), prompt)).any()


@pytest.mark.parametrize("name", BOTH)
def test_the_checkpoint_is_two_small_files(open_pipe, tmp_path, name):
    method, given = get_method(name), settings(name, steps=1)
    pipe = open_pipe()
    result = method.train(pipe, task(), given)
    method.save(pipe, task(), given, tmp_path)
    held = sum(
        weight.numel() for one in causal.adapters(pipe).values() for weight in one.parameters()
    )
    assert result.trainable_parameters == held + 16
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors"))
    assert size < 4 * result.trainable_parameters + 3000
