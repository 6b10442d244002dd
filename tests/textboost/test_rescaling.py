from random import Random

import numpy as np
import pytest
import torch
from PIL import Image

from textboost.rescaling import FAR, GREY, NEAR, VARIANTS, random_scale, rescaled

DIFFUSERS, ORIGINAL = VARIANTS["diffusers"], VARIANTS["original"]
RED = Image.new("RGB", (300, 300), (255, 0, 0))


class Scripted(Random):
    """Draws the given whole numbers, one after the other."""

    def __init__(self, *numbers):
        super().__init__(0)
        self.numbers = list(numbers)

    def randint(self, a, b):
        number = self.numbers.pop(0)
        assert a <= number <= b
        return number


def halves(width, height):
    """Black on the left, white on the right."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, width // 2 :] = 255
    return Image.fromarray(pixels)


def test_a_small_photo_lies_on_grey_and_counts_strictly_inside_its_edges():
    made = rescaled(RED, 200, 512, 8, DIFFUSERS, Scripted(100, 37))
    pixels = np.asarray(made.image)
    assert made.image.size == (512, 512)
    photo = np.zeros((512, 512), dtype=bool)
    photo[100:300, 37:237] = True
    assert (pixels[photo] == (255, 0, 0)).all()
    assert (pixels[~photo] == GREY).all()
    # Rows 100 // 8 + 1 = 13 up to, without, 300 // 8 - 1 = 36; columns 5 up to 237 // 8 - 1 = 28.
    expected = torch.zeros(1, 64, 64)
    expected[:, 13:36, 5:28] = 1
    assert torch.equal(made.mask, expected)
    assert made.prefix in FAR


def test_grey_is_the_middle_of_what_the_vae_is_shown():
    assert abs(GREY[0] / 127.5 - 1) < 0.005


def test_of_a_photo_larger_than_the_picture_a_part_is_shown():
    made = rescaled(halves(600, 600), 600, 512, 8, DIFFUSERS, Scripted(10, 80))
    pixels = np.asarray(made.image)
    assert pixels.shape == (512, 512, 3)
    assert (pixels[:, :220] == 0).all()  # 300 - 80
    assert (pixels[:, 220:] == 255).all()
    assert torch.equal(made.mask, torch.ones(1, 64, 64))
    assert made.prefix in NEAR


def test_a_full_size_photo_has_a_margin_in_one_variant_and_none_in_the_other():
    made = rescaled(RED, 512, 512, 8, DIFFUSERS, Scripted(0, 0))
    expected = torch.zeros(1, 64, 64)
    expected[:, 1:63, 1:63] = 1
    assert torch.equal(made.mask, expected)
    assert made.prefix == ""
    made = rescaled(RED, 512, 512, 8, ORIGINAL, Scripted())
    assert torch.equal(made.mask, torch.ones(1, 64, 64))


@pytest.mark.parametrize(("scale", "pasted"), [(306, True), (308, False), (400, False)])
def test_the_original_pastes_below_three_fifths_only(scale, pasted):
    made = rescaled(RED, scale, 512, 8, ORIGINAL, Scripted(0, 0))
    assert (np.asarray(made.image)[-1, -1] == GREY).all() == pasted
    assert (made.prefix in FAR) == pasted
    assert (made.mask.sum() < 64 * 64) == pasted
    # diffusers' script pastes them all, and names only those below 0.6 S.
    made = rescaled(RED, scale, 512, 8, DIFFUSERS, Scripted(0, 0))
    assert (np.asarray(made.image)[-1, -1] == GREY).all()
    assert (made.prefix in FAR) == pasted


def test_the_original_takes_the_central_square_and_diffusers_the_whole_photo():
    # A wide photo with white ends outside of its central square.
    pixels = np.full((100, 300, 3), 255, dtype=np.uint8)
    pixels[:, 100:200] = 0
    wide = Image.fromarray(pixels)
    assert np.asarray(rescaled(wide, 64, 64, 8, ORIGINAL, Scripted()).image).max() == 0
    assert np.asarray(rescaled(wide, 64, 64, 8, DIFFUSERS, Scripted(0, 0)).image).max() == 255


@pytest.mark.parametrize(("name", "zoomed"), [("diffusers", 0.34), ("original", 1 / 3)])
def test_how_often_a_caption_says_far_away_or_close_up(name, zoomed):
    rng, rules = Random(0), VARIANTS[name]
    scales = [random_scale(512, rules, rng) for _ in range(200_000)]
    assert sum(scale < 0.6 * 512 for scale in scales) / 200_000 == pytest.approx(0.266, abs=0.003)
    assert sum(scale > 512 for scale in scales) / 200_000 == pytest.approx(zoomed, abs=0.003)
    near = [scale for scale in scales if scale > 512]
    far = [scale for scale in scales if scale <= 512]
    if name == "diffusers":
        assert (min(far), max(far), min(near), max(near)) == (170, 512, 614, 715)
    else:  # odd ones are rounded up
        assert (min(far), max(far), min(near), max(near)) == (170, 512, 614, 716)
        assert not any(scale % 2 for scale in scales)


def test_both_wordings_are_used_equally_often():
    rng = Random(0)
    for scale, wordings in ((20, FAR), (80, NEAR)):
        said = [rescaled(RED, scale, 64, 4, DIFFUSERS, rng).prefix for _ in range(600)]
        assert set(said) == set(wordings)
        assert said.count(wordings[0]) / 600 == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(("side", "cell"), [(512, 8), (64, 4), (32, 2), (64, 8), (8, 8)])
def test_no_mask_is_empty(side, cell):
    for scale in {side // 3, side // 3 + 1, side // 2, side}:
        for start in range(side - scale + 1):
            made = rescaled(RED, scale, side, cell, DIFFUSERS, Scripted(start, start))
            assert made.mask.sum() >= 1


def test_a_photo_with_no_cell_inside_counts_in_the_middle():
    # 21 pixels from 20 on: cells 20 // 8 + 1 = 3 up to 41 // 8 - 1 = 4; from 23 on: none of 3..4.
    assert rescaled(RED, 21, 64, 8, DIFFUSERS, Scripted(20, 20)).mask.nonzero().tolist() == [
        [0, 3, 3]
    ]
    made = rescaled(RED, 16, 64, 8, DIFFUSERS, Scripted(9, 9))
    assert made.mask.nonzero().tolist() == [[0, 2, 2]]  # (9 + 8) // 8
