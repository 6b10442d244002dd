"""Two files of one picture: a photo saved again, smaller or with other losses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

SIDE = 16
NEAR = 3.0
"""Grey levels (of 255). Each of DreamBench's 158 photos saved again is within 2.8 of itself, down
to a quarter of its size at JPEG quality 20; the two photos of one subject most alike are 6.0
apart."""


def same_pictures(images: Mapping[str, Image.Image]) -> tuple[str, str] | None:
    """The names of two images (RGB, any size) that show the same; None where all differ.

    Two are the same where their reductions to 16 x 16 pixels, which forget the sides' ratio, are
    on average less than 3 of 255 levels apart. A crop, a mirror image and another exposure are
    other pictures.
    """
    seen: dict[str, np.ndarray] = {}
    for name, image in images.items():
        reduced = image.resize((SIDE, SIDE), Image.Resampling.BOX)
        pixels = np.asarray(reduced, dtype=np.float64)
        for other, others in seen.items():
            if np.abs(pixels - others).mean() < NEAR:
                return other, name
        seen[name] = pixels
    return None
