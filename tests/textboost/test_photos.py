from itertools import islice
from random import Random

import numpy as np
import torch
from PIL import Image

from textboost.photos import cropped, mirrored, pixels, shrunk, shuffled, square
from textboost.prompts import IMAGENET_SMALL


def ramp(width=6, height=2):
    """Red counts columns, green rows."""
    stack = np.zeros((height, width, 3), dtype=np.uint8)
    stack[..., 0], stack[..., 1] = np.arange(width), np.arange(height)[:, None]
    return Image.fromarray(stack)


def columns(image):
    return np.asarray(image)[0, :, 0].tolist()


def test_shrinking_sets_the_short_side_and_keeps_the_shape():
    assert shrunk(ramp(60, 40), 20).size == (30, 20)
    assert shrunk(ramp(40, 60), 20).size == (20, 30)
    assert shrunk(ramp(33, 100), 32).size == (32, 97)
    assert shrunk(ramp(10, 10), 20).size == (20, 20)


def test_a_crop_is_central_or_anywhere():
    assert columns(cropped(ramp(), 2)) == [2, 3]
    starts = {columns(cropped(ramp(), 2, Random(n)))[0] for n in range(60)}
    assert starts == {0, 1, 2, 3, 4}
    assert columns(square(ramp(), 2)) == [2, 3]


def test_mirrored_is_left_to_right():
    assert columns(mirrored(ramp())) == [5, 4, 3, 2, 1, 0]


def test_pixels_run_from_minus_one_to_one():
    white, black = Image.new("RGB", (2, 3), "white"), Image.new("RGB", (2, 3), "black")
    batch = pixels([white, black])
    assert batch.shape == (2, 3, 3, 2)
    assert batch.dtype == torch.float32
    assert batch[0].unique().tolist() == [1.0]
    assert batch[1].unique().tolist() == [-1.0]


def test_shuffled_goes_through_all_before_it_repeats():
    order = list(islice(shuffled(4, Random(0)), 12))
    rounds = [order[:4], order[4:8], order[8:]]
    assert all(sorted(part) == [0, 1, 2, 3] for part in rounds)
    assert len({tuple(part) for part in rounds}) > 1


def test_the_27_templates_of_textual_inversion():
    assert len(set(IMAGENET_SMALL)) == len(IMAGENET_SMALL) == 27
    assert all(template.count("{subject}") == 1 for template in IMAGENET_SMALL)
    assert {"a photo of a clean {subject}", "a close-up photo of the {subject}"} <= set(
        IMAGENET_SMALL
    )
