"""The trainings behind the embedded models, in small: same corpus, same steps, true matches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.toyworld.train import clip, corpus, tokenizer
from benchmark.toyworld.train.diffusion import stratified_timesteps
from benchmark.toyworld.train.loop import Order, Plan, Recipe, Training
from benchmark.toyworld.train.quality import unseen_prompts


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    corpus.build(folder, {"train": 120, "held-out": 10}, seed=0, processes=1)
    return folder


def test_the_corpus_does_not_depend_on_how_it_was_made(work: Path, tmp_path: Path) -> None:
    # One more drawing leaves the first ones as they were; another seed changes them.
    corpus.build(tmp_path / "more", {"train": 121}, seed=0, processes=2)
    corpus.build(tmp_path / "other", {"train": 5}, seed=1, processes=1)
    first, more = corpus.open_corpus(work, "train"), corpus.open_corpus(tmp_path / "more", "train")
    assert np.array_equal(first.pictures, more.pictures[:120])
    assert first.texts == more.texts[:120]
    other = corpus.open_corpus(tmp_path / "other", "train")
    assert not np.array_equal(first.pictures[:5], other.pictures)


def test_captions_are_stored_with_what_they_state(work: Path) -> None:
    drawings = corpus.open_corpus(work, "train")
    stated = drawings.states >= 0
    shown = np.broadcast_to(drawings.facts[:, None, :], drawings.states.shape)
    assert np.array_equal(drawings.states[stated], shown[stated])
    assert stated.any(axis=(0, 1)).sum() >= 7


def test_the_tokenizer_reads_any_text_and_pads_to_the_context(work: Path) -> None:
    words = tokenizer.train(work)
    for text in ("a sks dog in the snow", "Übergröße, 東京 & co", ""):
        ids = tokenizer.encode(words, [text])
        assert ids.shape == (1, 32)
        assert int(ids[0, -1]) == words.eos_token_id
    plain = words("a red dog", add_special_tokens=False).input_ids
    assert words.decode(plain).strip() == "a red dog"
    assert len(plain) == 3


def loss_of_regression(model: nn.Linear):  # type: ignore[no-untyped-def]
    def loss_of(step: int, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        inputs = torch.randn(16, 3, generator=generator)
        loss = ((model(inputs) - inputs.sum(dim=1, keepdim=True)) ** 2).mean()
        return loss, {"mse": float(loss.detach())}

    return loss_of


def linear_training(work: Path, steps: int) -> tuple[nn.Linear, Training]:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    recipe = Recipe("toy", rate=0.1, warmup=30, decay_share=0.5, ema=0.9)
    return model, Training(recipe, Order(work, steps=steps), {"model": model})


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole, training = linear_training(tmp_path / "whole", 60)
    assert training.run(loss_of_regression(whole))

    part, training = linear_training(tmp_path / "parts", 60)
    inner = loss_of_regression(part)

    def stopping(step: int, generator: torch.Generator):  # type: ignore[no-untyped-def]
        if step == 20:
            training._ask_to_stop(15, None)
        return inner(step, generator)

    assert not training.run(stopping)
    assert training.step == 21
    again, continued = linear_training(tmp_path / "parts", 60)
    assert continued.step == 21
    assert continued.run(loss_of_regression(again))
    assert torch.equal(whole.weight, again.weight)
    assert float((whole.weight.detach() - 1).abs().max()) < 0.5  # it did learn


def test_the_rate_rises_holds_and_falls_to_zero() -> None:
    plan = Plan(steps=100, decay_from=60)
    assert plan.factor(0, warmup=10) == pytest.approx(0.1)
    assert plan.factor(30, warmup=10) == 1.0
    assert plan.factor(80, warmup=10) == pytest.approx(0.5)
    assert plan.factor(100, warmup=10) == pytest.approx(0.0)


def test_a_text_matches_the_pictures_for_which_all_it_states_holds() -> None:
    facts = torch.tensor([[0, 1], [0, 2], [3, 1]])
    states = torch.tensor([[0, -1], [0, 2], [-1, 1], [-1, -1], [3, 2]])
    assert clip.matches(states, facts).tolist() == [
        [True, True, False],
        [False, True, False],
        [True, False, True],
        [True, True, True],
        [False, False, False],
    ]


def test_the_loss_is_least_when_all_matches_share_the_probability() -> None:
    truth = torch.tensor([[True, True, False], [False, False, False]])
    even = torch.tensor([[9.0, 9.0, -9.0], [5.0, 1.0, 0.0]])
    # By hand: -log(1/2) for the first row; the second, without a match, does not count.
    assert float(clip.multi_positive(even, truth)) == pytest.approx(np.log(2), abs=1e-4)
    uneven = torch.tensor([[9.0, 3.0, -9.0], [5.0, 1.0, 0.0]])
    assert clip.multi_positive(uneven, truth) > clip.multi_positive(even, truth) + 1


def test_lies_are_wrong_about_their_picture_and_right_about_its_class(work: Path) -> None:
    import random

    drawings = corpus.open_corpus(work, "train")
    chosen = np.arange(100)
    texts, states = clip.lies(drawings, chosen, random.Random(0))
    truth = clip.matches(torch.from_numpy(states), torch.from_numpy(drawings.facts[chosen]))
    assert not truth.diagonal().any()
    assert np.array_equal(states[:, 0], drawings.facts[chosen, 0])
    assert len(texts) == 100


def test_timesteps_are_stratified() -> None:
    drawn = stratified_timesteps(50, 1000, torch.Generator().manual_seed(0))
    assert sorted((drawn // 20).tolist()) == list(range(50))


def test_quality_prompts_are_unseen_and_distinct() -> None:
    prompts = unseen_prompts(300, seed=0)
    assert len({tuple(sorted(p.items())) for p in prompts}) == 300
    with pytest.raises(ValueError, match="larger than population"):
        unseen_prompts(10_000, seed=0)
