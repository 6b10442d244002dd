"""Paired augmentation (TextBoost v1): change the photo and name the change in the prompt.

The set of the paper's time (code of 2024-09-13): at most one geometric, one colour and one other
operation, drawn independently. Each operation says which token names what it did, so that the
change is learned by that token and not by the subject's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

# Token -> the words it starts from.
PAPER_TIME: Mapping[str, str] = {
    "<zoom-in>": "zoom in",
    "<zoom-out>": "far away",
    "<vflip>": "flip",
    "<crop>": "crop",
    "<left>": "on the left",
    "<right>": "on the right",
    "<grayscale>": "gray",
    "<bright>": "bright",
    "<dimmed>": "dark",
    "<cutout>": "hole",
    "<grid>": "grid of",
}


@dataclass(frozen=True)
class Augmented:
    """A changed photo and the tokens that name the changes, in the order they were made."""

    image: Image.Image
    tokens: tuple[str, ...]


Operation = Callable[[Image.Image, Random], Augmented]


def scale(image: Image.Image, rng: Random) -> Augmented:
    """Zoom by 0.34-1.4 about the centre, edges repeated; named below 0.6 and above 1.2."""
    factor = rng.uniform(0.34, 1.4)
    width, height = image.size
    size = max(1, round(width * factor)), max(1, round(height * factor))
    scaled = image.resize(size, Image.Resampling.BICUBIC)
    if factor < 1.0:
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        margins = ((top, height - size[1] - top), (left, width - size[0] - left), (0, 0))
        scaled = Image.fromarray(np.pad(np.asarray(scaled), margins, mode="edge"))
    else:
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        scaled = scaled.crop((left, top, left + width, top + height))
    tokens = ("<zoom-out>",) if factor < 0.6 else ("<zoom-in>",) if factor > 1.2 else ()
    return Augmented(scaled, tokens)


def vertical_flip(image: Image.Image, rng: Random) -> Augmented:
    """Upside down."""
    return Augmented(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM), ("<vflip>",))


def crop(image: Image.Image, rng: Random) -> Augmented:
    """A square of 8-100% of the photo's central-square area, resized to that square's side."""
    side = min(image.size)
    cut = max(1, round(side * math.sqrt(rng.uniform(0.08, 1.0))))
    left, top = rng.randint(0, image.width - cut), rng.randint(0, image.height - cut)
    part = image.crop((left, top, left + cut, top + cut))
    return Augmented(part.resize((side, side), Image.Resampling.BICUBIC), ("<crop>",))


def shift(image: Image.Image, rng: Random) -> Augmented:
    """Move the picture sideways by 15-30% of its width, the freed edge repeated."""
    by = round(image.width * rng.uniform(0.15, 0.3))
    pixels = np.asarray(image)
    if rng.random() < 0.5:
        moved = np.pad(pixels[:, by:], ((0, 0), (0, by), (0, 0)), mode="edge")
        return Augmented(Image.fromarray(moved), ("<left>",))
    moved = np.pad(pixels[:, : image.width - by], ((0, 0), (by, 0), (0, 0)), mode="edge")
    return Augmented(Image.fromarray(moved), ("<right>",))


def grayscale(image: Image.Image, rng: Random) -> Augmented:
    """Without colour."""
    return Augmented(image.convert("L").convert("RGB"), ("<grayscale>",))


def brightness(image: Image.Image, rng: Random) -> Augmented:
    """Darker (40-60%) or brighter (130-150%), with equal odds."""
    dark = rng.random() < 0.5
    factor = rng.uniform(0.4, 0.6) if dark else rng.uniform(1.3, 1.5)
    changed = ImageEnhance.Brightness(image).enhance(factor)
    return Augmented(changed, ("<dimmed>",) if dark else ("<bright>",))


def cutout(image: Image.Image, rng: Random) -> Augmented:
    """A black rectangle, each side 10-33% of the photo's."""
    width, height = (max(1, round(side * rng.uniform(0.1, 0.33))) for side in image.size)
    left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    changed = image.copy()
    ImageDraw.Draw(changed).rectangle((left, top, left + width - 1, top + height - 1), fill=0)
    return Augmented(changed, ("<cutout>",))


def grid(image: Image.Image, rng: Random) -> Augmented:
    """The photo repeated 2 x 2 or 3 x 3, every tile in a black border of one pixel."""
    tiles = rng.choice((2, 3))
    width, height = image.width // tiles, image.height // tiles
    tile = image.resize((max(1, width - 2), max(1, height - 2)), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", image.size)
    for row in range(tiles):
        for column in range(tiles):
            canvas.paste(tile, (column * width + 1, row * height + 1))
    return Augmented(canvas, ("<grid>",))


# One operation of each group at most; the odds within a group are equal.
GROUPS: tuple[tuple[Operation, ...], ...] = (
    (scale, vertical_flip, crop, shift),
    (grayscale, brightness),
    (cutout, grid),
)


def augment(image: Image.Image, rng: Random, probability: float = 0.8) -> Augmented:
    """Apply each group with the given probability. image: RGB, of any size."""
    tokens: tuple[str, ...] = ()
    for group in GROUPS:
        if rng.random() < probability:
            changed = rng.choice(group)(image, rng)
            image, tokens = changed.image, tokens + changed.tokens
    return Augmented(image, tokens)


def caption(prompt: str, tokens: Sequence[str], rng: Random) -> str:
    """Name the changes: each token before the prompt or, after a comma, behind it."""
    for token in tokens:
        prompt = f"{token} {prompt}" if rng.random() < 0.5 else f"{prompt}, {token}"
    return prompt
