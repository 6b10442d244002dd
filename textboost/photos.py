"""Photos on their way into training: resize, crop, flip, pixels as a tensor."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch


def shrunk(
    photo: Image.Image, side: int, resample: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """Resize so that the shorter side has `side` pixels; the shape stays."""
    factor = side / min(photo.size)
    width, height = (max(side, round(length * factor)) for length in photo.size)
    return photo if photo.size == (width, height) else photo.resize((width, height), resample)


def cropped(photo: Image.Image, side: int, rng: Random | None = None) -> Image.Image:
    """Cut a square of `side` pixels, at the centre or, given `rng`, anywhere."""
    spare = photo.width - side, photo.height - side
    left, top = (rng.randint(0, room) if rng else room // 2 for room in spare)
    return photo.crop((left, top, left + side, top + side))


def square(photo: Image.Image, side: int) -> Image.Image:
    """The photo's central square, `side` pixels wide."""
    return cropped(shrunk(photo, side), side)


def mirrored(photo: Image.Image) -> Image.Image:
    """The photo flipped left to right."""
    return photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def pixels(photos: list[Image.Image]) -> torch.Tensor:
    """Photos of one size as float32 [n, 3, height, width] in -1..1."""
    import torch

    stack = np.stack([np.asarray(photo.convert("RGB"), dtype=np.float32) for photo in photos])
    return torch.from_numpy(stack).permute(0, 3, 1, 2) / 127.5 - 1.0


def shuffled(count: int, rng: Random) -> Iterator[int]:
    """0..count-1 in a new random order, again and again."""
    while True:
        yield from rng.sample(range(count), count)
