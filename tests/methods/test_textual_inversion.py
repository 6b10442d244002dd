import numpy as np
import pytest
import torch
from PIL import Image

from methods import get_method, textual_inversion
from tests.methods.support import photo, settings, task
from textboost.photos import mirrored
from textboost.tokens import token_rows

NAME = "textual-inversion"
METHOD = get_method(NAME)


def train(pipe, told=None, **changes):
    return METHOD.train(pipe, told or task(), settings(NAME, **{"steps": 1, **changes}))


def vocabulary_rows(pipe, *tokens):
    ids = pipe.tokenizer.convert_tokens_to_ids(list(tokens))
    return pipe.text_encoder.get_input_embeddings().weight[ids]


def test_the_word_starts_from_the_class_noun(open_pipe):
    pipe = open_pipe()
    train(pipe, learning_rate=0.0, vectors=3)
    dog = vocabulary_rows(pipe, "dog</w>")
    assert torch.equal(token_rows(pipe, "<subject>")[0], dog.repeat(3, 1))


def test_of_a_noun_of_two_words_the_last_and_of_its_sub_words_the_mean(open_pipe):
    pipe = open_pipe()
    train(pipe, task(class_noun="red toy"), learning_rate=0.0, vectors=1)
    toy = vocabulary_rows(pipe, "t", "o", "y</w>").mean(dim=0, keepdim=True)
    torch.testing.assert_close(token_rows(pipe, "<subject>")[0], toy)


def test_the_prompt_has_the_word_and_not_the_noun():
    chosen = METHOD.Settings()
    assert METHOD.prompt("a {subject} on snow", task(), chosen) == "a <subject> on snow"


@pytest.mark.parametrize("flip", [0.0, 1.0, 0.5])
def test_photos_are_pressed_into_a_square_and_mirrored_at_the_given_rate(
    open_pipe, monkeypatch, flip
):
    shown = []
    sample = textual_inversion.Latents.sample

    def spy(self, photos):
        shown.extend(np.asarray(photo) for _, photo in photos)
        return sample(self, photos)

    monkeypatch.setattr(textual_inversion.Latents, "sample", spy)
    told = task(photos=(photo(60, 40),))
    train(open_pipe(), told, batch_size=40, flip_probability=flip)
    plain = photo(60, 40).resize((32, 32), Image.Resampling.BICUBIC)
    flips = sum(np.array_equal(image, np.asarray(mirrored(plain))) for image in shown)
    plains = sum(np.array_equal(image, np.asarray(plain)) for image in shown)
    assert flips + plains == 40
    assert abs(flips / 40 - flip) <= 0.2 * (flip == 0.5)
