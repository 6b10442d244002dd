from collections import Counter
from random import Random

import numpy as np
import pytest
from PIL import Image
from transformers import CLIPTokenizer

from benchmark.backbones.clip_vocabulary import tokenizer_files
from textboost import augmentation
from textboost.augmentation import SETS, augment, caption

PAPER_TIME, RELEASE = SETS["paper-time"], SETS["release"]
OPERATIONS = [one for group in PAPER_TIME.groups for one in group.operations]
ALL = list(dict.fromkeys(one for s in SETS.values() for g in s.groups for one in g.operations))
TOKENS = {token for changes in SETS.values() for token in changes.tokens}


def photo(width=60, height=40):
    """Red grows to the right, green downwards: every shift and flip can be read off."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    stack = np.stack([across, down, np.full_like(across, 128)], axis=-1)
    return Image.fromarray(stack.astype(np.uint8))


def pixels(image):
    return np.asarray(image).astype(int)


def draws(operation, count=200):
    rng = Random(0)
    return [operation(photo(), rng) for _ in range(count)]


@pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.__name__)
def test_an_operation_depends_on_its_rng_alone_and_keeps_the_photo(operation):
    original = photo()
    one, two = operation(original, Random(7)), operation(original, Random(7))
    assert one.tokens == two.tokens
    assert np.array_equal(pixels(one.image), pixels(two.image))
    assert np.array_equal(pixels(original), pixels(photo()))
    assert set(one.tokens) <= TOKENS


@pytest.mark.parametrize(
    "operation",
    [operation for operation in ALL if operation is not augmentation.crop],
    ids=lambda operation: operation.__name__,
)
def test_all_but_the_square_crop_keep_the_size(operation):
    assert {draw.image.size for draw in draws(operation, 20)} == {(60, 40)}
    assert {draw.image.size for draw in draws(augmentation.crop, 20)} == {(40, 40)}


@pytest.mark.parametrize("name", SETS)
def test_every_token_of_the_set_is_drawn_and_no_other(name):
    seen = Counter()
    for group in SETS[name].groups:
        for operation in group.operations:
            for draw in draws(operation, 60):
                seen.update(draw.tokens)
    assert set(seen) == set(SETS[name].tokens)


def test_zoom_is_named_only_when_strong():
    tokens = Counter(draw.tokens for draw in draws(augmentation.scale, 2000))
    # Uniform on 0.34..1.4: (0.6 - 0.34) / 1.06 and (1.4 - 1.2) / 1.06.
    assert tokens[("<zoom-out>",)] / 2000 == pytest.approx(0.245, abs=0.03)
    assert tokens[("<zoom-in>",)] / 2000 == pytest.approx(0.189, abs=0.03)
    assert set(tokens) == {("<zoom-out>",), ("<zoom-in>",), ()}
    for draw in draws(augmentation.scale, 50):
        image = pixels(draw.image)
        if draw.tokens == ("<zoom-out>",):  # repeated edges
            assert (image[:, :6, 0] == image[:, :1, 0]).all()
        if draw.tokens == ("<zoom-in>",):  # the edges are gone
            assert image[..., 0].max() - image[..., 0].min() < 230


def test_the_flip_is_upside_down():
    image = augmentation.vertical_flip(photo(), Random(0)).image
    assert np.array_equal(pixels(image), pixels(photo())[::-1])


@pytest.mark.parametrize(
    ("operation", "tokens"),
    [(augmentation.horizontal_flip, ("<hflip>",)), (augmentation.unnamed_flip, ())],
)
def test_flips_are_left_to_right(operation, tokens):
    flipped = operation(photo(), Random(0))
    assert np.array_equal(pixels(flipped.image), pixels(photo())[:, ::-1])
    assert flipped.tokens == tokens


def test_the_slight_crop_keeps_80_to_100_percent_in_about_the_same_shape():
    for draw in draws(augmentation.slight_crop, 200):
        across, down = (np.ptp(pixels(draw.image)[..., axis]) / 255 for axis in (0, 1))
        assert 0.74 <= across * down <= 1.0
        assert 0.85 <= across / down <= 1.18
        assert draw.tokens == ()


def test_shifts_go_the_way_they_are_named():
    for draw in draws(augmentation.shift, 40):
        moved, original = pixels(draw.image)[20, :, 0], pixels(photo())[20, :, 0]
        # 15-30% of 60 pixels; red rises by 4.3 a pixel.
        if draw.tokens == ("<left>",):
            by = int(np.flatnonzero(original == moved[0])[0])
            assert (moved[60 - by :] == original[-1]).all()
        else:
            by = int(np.flatnonzero(moved == original[1])[0]) - 1
            assert (moved[:by] == original[0]).all()
        assert 9 <= by <= 18


def test_crops_cover_8_to_100_percent():
    spans = [np.ptp(pixels(draw.image)[..., 1]) / 255 for draw in draws(augmentation.crop)]
    assert min(spans) == pytest.approx(np.sqrt(0.08), abs=0.08)
    assert max(spans) > 0.9


def test_colour_operations():
    gray = pixels(augmentation.grayscale(photo(), Random(0)).image)
    assert (np.ptp(gray, axis=-1) == 0).all()
    for draw in draws(augmentation.brightness, 40):
        factor = pixels(draw.image)[0, 0, 2] / 128
        low, high = {"<dimmed>": (0.4, 0.6), "<bright>": (1.3, 1.5)}[draw.tokens[0]]
        assert low - 0.01 <= factor <= high + 0.01


def test_the_hole_is_black_and_10_to_33_percent_of_each_side():
    for draw in draws(augmentation.cutout, 40):
        hole = (pixels(draw.image) == 0).all(axis=-1)
        rows, columns = hole.any(axis=1).sum(), hole.any(axis=0).sum()
        assert hole.sum() == rows * columns
        assert 4 <= rows <= 13
        assert 6 <= columns <= 20


@pytest.mark.parametrize("operation", [augmentation.grid, augmentation.collage])
def test_grids_repeat_the_photo_in_black_borders(operation):
    for draw in draws(operation, 10):
        image = pixels(draw.image)
        tiles = 2 if (image[:, 30] == 0).all() else 3
        width, height = 60 // tiles, 40 // tiles
        tile = image[:height, :width]
        assert (tile[0] == 0).all()
        assert (tile[:, -1] == 0).all()
        assert np.array_equal(image[height : 2 * height, width : 2 * width], tile)


def test_each_group_acts_with_the_given_probability():
    rng = Random(0)
    tokens = [augment(photo(12, 12), rng, PAPER_TIME, 0.8).tokens for _ in range(2000)]
    gray = sum("<grayscale>" in drawn for drawn in tokens) / 2000
    grids = sum("<grid>" in drawn for drawn in tokens) / 2000
    flips = sum("<vflip>" in drawn for drawn in tokens) / 2000
    assert gray == pytest.approx(0.4, abs=0.04)
    assert grids == pytest.approx(0.4, abs=0.04)
    assert flips == pytest.approx(0.2, abs=0.03)
    assert max(map(len, tokens)) == 3


def test_the_caption_names_every_change_before_or_behind():
    rng = Random(0)
    captions = {caption("a photo", ("<grid>",), rng, PAPER_TIME) for _ in range(20)}
    assert captions == {"<grid> a photo", "a photo, <grid>"}
    both = {caption("a photo", ("<crop>", "<grid>"), rng, PAPER_TIME) for _ in range(60)}
    assert both == {
        "<grid> <crop> a photo",
        "<crop> a photo, <grid>",
        "<grid> a photo, <crop>",
        "a photo, <crop>, <grid>",
    }
    assert caption("a photo", (), rng, PAPER_TIME) == "a photo"


def test_the_release_names_each_change_on_its_own_side():
    rng = Random(0)

    def captions(token):
        return {caption("a photo", (token,), rng, RELEASE) for _ in range(40)}

    for token in ("<zoom-in>", "<zoom-out>", "<collage>"):
        assert captions(token) == {f"{token} a photo"}
    assert captions("<grayscale>") == {"a photo, <grayscale>"}
    assert captions("<left>") == {"a photo, <left_0> <left_1> <left_2>"}
    assert captions("<crop>") == {"<crop> a photo", "a photo, <crop>"}
    assert captions("<hflip>") == {"< hflip > a photo", "a photo, < hflip >"}


@pytest.mark.parametrize("name", SETS)
def test_probability_zero_changes_nothing_in_any_set(name):
    rng = Random(0)
    for _ in range(50):
        untouched = augment(photo(), rng, SETS[name], 0.0)
        assert untouched.tokens == ()
        assert np.array_equal(pixels(untouched.image), pixels(photo()))


def test_the_release_draws_as_measured_on_its_code():
    rng = Random(0)
    tokens = [augment(photo(12, 12), rng, RELEASE, 0.5).tokens for _ in range(4000)]
    share = {t: sum(t in drawn for drawn in tokens) / 4000 for t in RELEASE.tokens}
    expected = {"<collage>": 0.5, "<grayscale>": 0.2, "<crop>": 0.125, "<hflip>": 0.125}
    expected |= {"<left>": 0.0625, "<right>": 0.0625, "<zoom-out>": 0.031, "<zoom-in>": 0.024}
    assert share == pytest.approx(expected, abs=0.025)


def test_the_releases_tokens_are_13_vectors_and_three_of_them_are_dead(tmp_path):
    for file, content in tokenizer_files("<|endoftext|>").items():
        (tmp_path / file).write_text(content, encoding="utf-8")
    clip = CLIPTokenizer.from_pretrained(tmp_path)
    assert sum(len(clip.tokenize(words)) for words in RELEASE.tokens.values()) == 13
    as_text = {token: clip.tokenize(text) for token, text in RELEASE.dead.items()}
    assert as_text["<hflip>"] == clip.tokenize("<hflip>")
    clip.add_tokens(list(RELEASE.tokens))
    assert {token: clip.tokenize(text) for token, text in RELEASE.dead.items()} == as_text
    assert not set(RELEASE.tokens) & {piece for pieces in as_text.values() for piece in pieces}


def test_the_weak_set_changes_half_the_photos_each_way_and_says_nothing():
    rng = Random(0)
    drawn = [augment(photo(), rng, SETS["weak"], 0.5) for _ in range(600)]
    red = [pixels(one.image)[20, :, 0] for one in drawn]
    assert sum(row[0] > row[-1] for row in red) / 600 == pytest.approx(0.5, abs=0.07)
    assert all(one.tokens == () for one in drawn)
    assert SETS["weak"].margin * 512 == 614
