"""Paired augmentation (TextBoost v1): change the photo and name the change in the prompt.

Each operation says which token names what it did, so that the change is learned by that token and
not by the subject's. `SETS` has the documented sets of operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance


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


def horizontal_flip(image: Image.Image, rng: Random) -> Augmented:
    """Left to right, named."""
    return Augmented(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), ("<hflip>",))


def unnamed_flip(image: Image.Image, rng: Random) -> Augmented:
    """Left to right, not named: the subject may look either way."""
    return Augmented(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), ())


def slight_crop(image: Image.Image, rng: Random) -> Augmented:
    """80-100% of the area in a shape of 0.9-1.1 (log-uniform), resized to the photo's; unnamed."""
    area = image.width * image.height * rng.uniform(0.8, 1.0)
    shape = math.exp(rng.uniform(math.log(0.9), math.log(1.1)))
    shape *= image.width / image.height
    width = min(image.width, max(1, round(math.sqrt(area * shape))))
    height = min(image.height, max(1, round(math.sqrt(area / shape))))
    left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    part = image.crop((left, top, left + width, top + height))
    return Augmented(part.resize(image.size, Image.Resampling.BICUBIC), ())


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
    return Augmented(_tiled(image, rng.choice((2, 3))), ("<grid>",))


def collage(image: Image.Image, rng: Random) -> Augmented:
    """The same under the name that the release has for it."""
    return Augmented(_tiled(image, rng.choice((2, 3))), ("<collage>",))


def _tiled(image: Image.Image, tiles: int) -> Image.Image:
    width, height = image.width // tiles, image.height // tiles
    tile = image.resize((max(1, width - 2), max(1, height - 2)), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", image.size)
    for row in range(tiles):
        for column in range(tiles):
            canvas.paste(tile, (column * width + 1, row * height + 1))
    return canvas


@dataclass(frozen=True)
class Group:
    """One independent draw: one of its operations, with equal odds, or none at all."""

    operations: tuple[Operation, ...]
    probability: float | None = None
    """Of changing the photo, whatever the recipe says; None: as it says."""


@dataclass(frozen=True)
class ChangeSet:
    """What may happen to a photo. tokens: new token -> the words it starts from.

    margin: the shorter side before the random crop, in units of the training resolution.
    dead: what prompts say in place of a token that the vocabulary lacks. Such text is read as
    plain letters, while the rows made for the token are in no prompt: only weight decay and the
    cut to the longest length reach them.
    before, after: tokens that always stand before the prompt, or behind it; any other does either.
    """

    groups: tuple[Group, ...]
    tokens: Mapping[str, str]
    margin: float = 1.0
    dead: Mapping[str, str] = field(default_factory=dict)
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


SETS: Mapping[str, ChangeSet] = {
    # The code of the paper's time (2024-09-13): geometry, colour and one other.
    "paper-time": ChangeSet(
        groups=(
            Group((scale, vertical_flip, crop, shift)),
            Group((grayscale, brightness)),
            Group((cutout, grid)),
        ),
        tokens={
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
        },
    ),
    # The public code of November 2024 to January 2025: geometry, collage and, less often, gray.
    # Its prompts spell three tokens as the vocabulary does not have them (`dead`): three pieces
    # of "<left>" and of "<right>" where there is one, the bare "<hflip>" where there are two.
    # The code also swaps height and width of photos that are not square; that is not repeated.
    "release": ChangeSet(
        groups=(
            Group((scale, crop, shift, horizontal_flip)),
            Group((collage,)),
            Group((grayscale,), probability=0.2),
        ),
        tokens={
            "<grayscale>": "grayscale",
            "<zoom-in>": "zoom in",
            "<zoom-out>": "far away",
            "<collage>": "photo collage",
            "<crop>": "crop",
            "<hflip>": "ktn",
            "<left>": "pll",
            "<right>": "ucd",
        },
        dead={
            "<left>": "<left_0> <left_1> <left_2>",
            "<right>": "<right_0> <right_1> <right_2>",
            "<hflip>": "< hflip >",  # as CLIP reads "<hflip>" where that is no token
        },
        before=frozenset({"<zoom-in>", "<zoom-out>", "<collage>"}),
        after=frozenset({"<left>", "<right>", "<grayscale>"}),
    ),
    # v2: what leaves the subject as it is, unnamed; shown at 614 px for crops of 512.
    "weak": ChangeSet(
        groups=(Group((unnamed_flip,)), Group((slight_crop,))),
        tokens={},
        margin=614 / 512,
    ),
    # v1's style mode: geometry would change what a style is.
    "style": ChangeSet(
        groups=(Group((horizontal_flip,)), Group((grayscale,))),
        tokens={"<hflip>": "flip", "<grayscale>": "gray"},
    ),
    "none": ChangeSet(groups=(), tokens={}),
}


def augment(
    image: Image.Image, rng: Random, changes: ChangeSet, probability: float = 0.8
) -> Augmented:
    """Draw each group in its order; with probability 0, none. image: RGB, of any size."""
    if probability <= 0:
        return Augmented(image, ())
    tokens: tuple[str, ...] = ()
    for group in changes.groups:
        if rng.random() < (probability if group.probability is None else group.probability):
            changed = rng.choice(group.operations)(image, rng)
            image, tokens = changed.image, tokens + changed.tokens
    return Augmented(image, tokens)


def caption(prompt: str, tokens: Sequence[str], rng: Random, changes: ChangeSet) -> str:
    """Name the changes: each token before the prompt or, after a comma, behind it.

    A token that the set calls dead is said in the letters it has there.
    """
    for token in tokens:
        either = rng.random() < 0.5
        first = token in changes.before or (either and token not in changes.after)
        said = changes.dead.get(token, token)
        prompt = f"{said} {prompt}" if first else f"{prompt}, {said}"
    return prompt
