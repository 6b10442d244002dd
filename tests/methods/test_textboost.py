import pytest
import torch
from safetensors.torch import load_file

from methods import get_method
from tests.methods.support import PRIOR_PROMPTS, settings, task
from textboost import conditioning, training
from textboost.augmentation import SETS

NAME = "textboost"
PAPER_TIME = SETS["paper-time"].tokens
METHOD = get_method(NAME)


class Watched:
    """One training, with the prompts, latents and timesteps that went into it."""

    def __init__(self, pipe, monkeypatch, told=None, **changes):
        self.pipe = pipe
        self.given = settings(NAME, **{"steps": 3, **changes})
        self.shown, self.prior, self.timesteps, self.noisy = [], [], [], []
        encode = conditioning.encode

        def spy(pipe, prompts, whole=False, expand=True):
            (self.shown if whole else self.prior).extend(prompts)
            return encode(pipe, prompts, whole, expand)

        def look(_, given):
            self.noisy.append(given[0])
            self.timesteps.extend(given[1].tolist())

        with monkeypatch.context() as patch:
            patch.setattr(training, "encode", spy)
            patch.setattr(conditioning, "encode", spy)
            hook = pipe.unet.register_forward_pre_hook(look)
            self.result = METHOD.train(pipe, told or task(), self.given)
            hook.remove()

    def save(self, folder):
        METHOD.save(self.pipe, task(), self.given, folder)
        return {path.stem: load_file(path) for path in folder.rglob("*.safetensors")}


@pytest.fixture
def watch(open_pipe, monkeypatch):
    return lambda told=None, **changes: Watched(open_pipe(), monkeypatch, told, **changes)


def without_tokens(prompt):
    for token in PAPER_TIME:
        prompt = prompt.replace(f"{token} ", "").replace(f", {token}", "")
    return prompt


def test_the_prompt_has_the_new_token_and_the_class_noun():
    given = METHOD.Settings()
    assert METHOD.prompt("a {subject} on snow", task(), given) == "a <subject> dog on snow"


def test_published_settings():
    given = METHOD.Settings(**METHOD.presets["paper"])
    assert (given.steps, given.batch_size, given.rank) == (250, 8, 4)
    assert (given.learning_rate, given.token_learning_rate) == (5e-5, 1e-3)
    assert (given.preservation_weight, given.null_probability) == (0.1, 0.1)
    assert given.augmentation_tokens
    assert given.knowledge_preservation
    assert given.snr_sampling


def test_what_is_saved(watch, tmp_path):
    files = watch().save(tmp_path)
    assert files["learned_embeds"]["<subject>"].shape == (2, 16)  # "red dog"
    assert {name: len(files[name[1:-1]][name]) for name in PAPER_TIME} == dict.fromkeys(
        PAPER_TIME, 1
    )
    assert len(files["pytorch_lora_weights"]) == 2 * 6 * 2


def test_rank_targets_and_vectors_are_followed(watch, tmp_path):
    files = watch(rank=3, targets=("fc2",), vectors=1, augmentation_vectors=2).save(tmp_path)
    lora = files["pytorch_lora_weights"]
    assert {tuple(factor.shape) for factor in lora.values()} == {(3, 32), (16, 3)}
    assert all(".fc2." in key for key in lora)
    assert files["learned_embeds"]["<subject>"].shape == (1, 16)
    # At most two; "bright" and "dark" are one word each.
    assert {name for name in PAPER_TIME if len(files[name[1:-1]][name]) != 2} == {
        "<bright>",
        "<dimmed>",
    }


def test_switch_augmentation_tokens_leaves_the_photos_and_unnames_the_changes(watch, tmp_path):
    named, unnamed = watch(), watch(augmentation_tokens=False)
    assert any(token in prompt for prompt in named.shown for token in PAPER_TIME)
    assert [without_tokens(prompt) for prompt in named.shown] == unnamed.shown
    assert unnamed.timesteps == named.timesteps
    # The same changes to the photo, the same noise.
    assert all(torch.equal(*pair) for pair in zip(named.noisy, unnamed.noisy, strict=True))
    assert unnamed.save(tmp_path).keys() == {"learned_embeds", "pytorch_lora_weights"}
    rows = len(PAPER_TIME) * 16
    assert named.result.trainable_parameters - unnamed.result.trainable_parameters == rows


def test_augmentation_probability_zero_shows_the_photo_as_it_is(watch, tmp_path):
    plain = watch(augmentation_probability=0.0)
    assert plain.shown
    assert [without_tokens(prompt) for prompt in plain.shown] == plain.shown
    assert plain.save(tmp_path).keys() == {"learned_embeds", "pytorch_lora_weights"}


def test_switch_knowledge_preservation(watch):
    on, off = watch(), watch(told=task(prior_prompts=()), knowledge_preservation=False)
    assert len(on.prior) == 3 * 4 * 2  # steps x prompts, by student and by teacher
    assert set(on.prior) & set(PRIOR_PROMPTS)
    assert off.prior == []
    assert off.shown == on.shown
    assert off.timesteps == on.timesteps
    with pytest.raises(ValueError, match="needs captions"):
        watch(told=task(prior_prompts=()))


def test_knowledge_preservation_keeps_general_prompts_in_place(watch):
    def moved(**changes):
        watched = watch(steps=25, **changes)
        return training.preservation_loss(watched.pipe, PRIOR_PROMPTS).item()

    assert moved(preservation_weight=10.0) < 0.5 * moved(knowledge_preservation=False)


def test_switch_snr_sampling(watch):
    weighted, even = (
        watch(batch_size=200, steps=1),
        watch(batch_size=200, steps=1, snr_sampling=False),
    )
    assert sum(weighted.timesteps) / 200 == pytest.approx(584, abs=50)
    assert sum(even.timesteps) / 200 == pytest.approx(500, abs=50)
    assert sum(weighted.timesteps) / 200 - sum(even.timesteps) / 200 > 50
    assert weighted.shown == even.shown


def test_a_placeholder_too_long_for_the_context_is_refused(watch):
    with pytest.raises(ValueError, match="give the new tokens fewer vectors"):
        watch(told=task(descriptor="a subject of very very many words"))
