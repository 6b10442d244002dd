"""Changed copies of the training photos: what TextBoost's augmentation shows the model."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from textboost.augmentation import crop, grayscale, grid

if TYPE_CHECKING:
    from PIL import Image

CHANGES = {"grid": (grid, 4), "crop": (crop, 8), "gray": (grayscale, 1)}
"""Name of a change -> the operation, and how many draws of it: what it does is partly random."""


def changed(photos: Sequence[Image.Image]) -> dict[str, list[Image.Image]]:
    """Name of a change -> every photo changed so, RGB. The same at every call."""
    return {
        name: [operation(photo, Random(draw)).image for photo in photos for draw in range(draws)]
        for name, (operation, draws) in CHANGES.items()
    }
