"""Custom Diffusion's augmentation: the photo at a random size, a mask of where it is, a caption.

Kumari et al., arXiv 2212.04488, section 4, training details; the numbers are those of the two
published implementations, `VARIANTS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import torch
from PIL import Image
from torch import Tensor

from textboost.photos import cropped

FAR = ("a far away ", "very small ")
NEAR = ("zoomed in ", "close up ")
FAR_BELOW = 0.6  # of the picture's side
GREY = (127, 127, 127)  # half a level from the 0 of the published canvas


@dataclass(frozen=True)
class Rules:
    """In what the two implementations differ. S: side of the picture.

    shrink_probability: of a scale in S/3..S; otherwise it is in 1.2 S..1.4 S.
    even: odd scales are rounded up.
    central_square: that part of a photo is resized; otherwise the whole photo is pressed into a
    square.
    paste_all: every photo up to S is pasted on grey; otherwise only those below 0.6 S are, and
    larger ones are shown at full size.
    resample: the filter.
    """

    shrink_probability: float
    even: bool
    central_square: bool
    paste_all: bool
    resample: Image.Resampling


VARIANTS = {
    # diffusers' examples/custom_diffusion.
    "diffusers": Rules(0.66, False, False, True, Image.Resampling.BILINEAR),
    # The authors' adobe-research/custom-diffusion.
    "original": Rules(2 / 3, True, True, False, Image.Resampling.BICUBIC),
}


@dataclass(frozen=True)
class Rescaled:
    """image: a square. mask: [1, rows, columns] of the latents, 1 where the photo counts.

    prefix: what the caption says first, with a space behind it, or "".
    """

    image: Image.Image
    mask: Tensor
    prefix: str = ""


def random_scale(side: int, rules: Rules, rng: Random) -> int:
    """The side in pixels to which the photo is resized."""
    if rng.random() < rules.shrink_probability:
        scale = rng.randint(side // 3, side)
    else:
        scale = rng.randrange(int(1.2 * side), int(1.4 * side))
    return scale + scale % 2 if rules.even else scale


def rescaled(
    photo: Image.Image, scale: int, side: int, cell: int, rules: Rules, rng: Random
) -> Rescaled:
    """Resize the photo to a square of `scale` pixels and show that in one of `side` pixels.

    A smaller photo lies anywhere on grey and counts strictly inside its edges only: the latents
    at its edge know of the grey. Of a larger one a random part is shown. cell: pixels per latent.
    """
    if rules.central_square:
        photo = cropped(photo, min(photo.size))
    mask = torch.ones(1, side // cell, side // cell)
    prefix = rng.choice(FAR) if scale < FAR_BELOW * side else ""
    if scale > side:
        prefix = rng.choice(NEAR)
    elif not prefix and not rules.paste_all:
        return Rescaled(photo.resize((side, side), rules.resample), mask, prefix)
    resized = photo.resize((scale, scale), rules.resample)
    top, left = (rng.randint(0, abs(side - scale)) for _ in range(2))
    if scale > side:
        return Rescaled(resized.crop((left, top, left + side, top + side)), mask, prefix)
    canvas = Image.new("RGB", (side, side), GREY)
    canvas.paste(resized, (left, top))
    mask.zero_()
    mask[:, _inside(top, scale, cell), _inside(left, scale, cell)] = 1.0
    return Rescaled(canvas, mask, prefix)


def _inside(start: int, length: int, cell: int) -> slice:
    """The cells strictly inside of `length` pixels from `start` on.

    From 3 cells on there is one at least, so at S/3 wherever a picture has 9 cells or more
    (S = 72 at 8 pixels per latent). Below that the mask would be empty and the mean over it not
    a number: then the cell in the middle counts.
    """
    first, end = start // cell + 1, (start + length) // cell - 1
    middle = (start + length // 2) // cell
    return slice(first, end) if first < end else slice(middle, middle + 1)
