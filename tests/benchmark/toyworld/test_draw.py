"""The drawings: deterministic, every attribute visible, subjects told apart."""

import random
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from benchmark.toyworld.draw import draw
from benchmark.toyworld.sampling import held_out, held_out_combination, random_scene
from benchmark.toyworld.scenes import (
    BACKGROUNDS,
    CLASS_NOUNS,
    COLORS,
    FINISHES,
    LIGHTS,
    OUTFITS,
    PATTERNS,
    Scene,
)
from benchmark.toyworld.subjects import SUBJECTS, views

DOG = Scene("dog", "red", accent="blue")


@cache
def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(draw(scene), dtype=np.int16)


def difference(a: Scene, b: Scene) -> float:
    """Share of pixels that differ visibly."""
    return float((np.abs(pixels(a) - pixels(b)).max(axis=2) > 24).mean())


def test_same_scene_same_pixels_and_size() -> None:
    picture = draw(DOG)
    assert picture.size == (64, 64)
    assert picture.mode == "RGB"
    assert picture.tobytes() == draw(DOG).tobytes()
    assert draw(DOG, 32).size == (32, 32)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("class_noun", CLASS_NOUNS),
        ("color", tuple(COLORS)),
        ("pattern", PATTERNS),
        ("background", tuple(BACKGROUNDS)),
        ("outfit", tuple(OUTFITS)),
        ("finish", FINISHES),
        ("light", LIGHTS),
    ],
)
def test_every_value_of_an_attribute_looks_different(field: str, values: tuple[str, ...]) -> None:
    scenes = [replace(DOG, **{field: value}) for value in values]
    for i, a in enumerate(scenes):
        for b in scenes[:i]:
            assert difference(a, b) > 0.005, (a, b)


@pytest.mark.parametrize("noun", CLASS_NOUNS)
@pytest.mark.parametrize("color", list(COLORS))
def test_the_body_shows_its_colour(noun: str, color: str) -> None:
    shown = pixels(Scene(noun, color, accent="white" if color != "white" else "black"))
    near = np.abs(shown - np.array(COLORS[color])).max(axis=2) < 12
    assert near.mean() > 0.02


@pytest.mark.parametrize("noun", CLASS_NOUNS)
def test_accent_and_each_proportion_change_the_drawing(noun: str) -> None:
    plain = Scene(noun, "red", accent="blue")
    assert difference(plain, replace(plain, accent="yellow")) > 0.003
    for i in range(3):
        low, high = [list(plain.proportions) for _ in range(2)]
        low[i], high[i] = 0.0, 1.0
        assert difference(
            replace(plain, proportions=tuple(low)), replace(plain, proportions=tuple(high))
        ) > 0.003, i  # fmt: skip


def test_flip_mirrors_the_subject_around_its_own_middle() -> None:
    boot = Scene("boot", "green", detail=1)
    assert np.array_equal(pixels(replace(boot, flip=True)), pixels(boot)[:, ::-1])
    aside = replace(boot, shift=(0.125, 0.0))
    mirrored = pixels(replace(aside, flip=True, shift=(-0.125, 0.0)))
    assert np.array_equal(mirrored, pixels(aside)[:, ::-1])


def test_the_pattern_moves_with_the_subject() -> None:
    vase = Scene("vase", "green", "dotted")
    moved = pixels(replace(vase, shift=(0.125, 0.0)))[:, 8:]
    still = pixels(vase)[:, :-8]
    assert (np.abs(moved - still).max(axis=2) > 24).mean() < 0.002


def test_subjects_have_five_views_and_differ_from_each_other() -> None:
    plain = [look.scene() for look in SUBJECTS.values()]
    for i, scene in enumerate(plain):
        assert all(difference(scene, other) > 0.02 for other in plain[:i])
    for look in SUBJECTS.values():
        assert len({draw(view).tobytes() for view in views(look).values()}) == 5


def test_training_never_sees_held_out_looks_or_combinations() -> None:
    rng = random.Random(3)
    scenes = [random_scene(rng) for _ in range(4000)]
    looks = {(s.class_noun, s.color, s.pattern) for s in SUBJECTS.values()}
    assert not looks & {(s.class_noun, s.color, s.pattern) for s in scenes}
    assert not any(held_out_combination(s.class_noun, s.background, s.color) for s in scenes)
    assert all(held_out(view) for look in SUBJECTS.values() for view in views(look).values())
    # ... and yet everything that can be drawn is seen in some combination.
    assert {s.class_noun for s in scenes} == set(CLASS_NOUNS)
    assert {s.background for s in scenes} == set(BACKGROUNDS)
    assert {s.color for s in scenes} == set(COLORS)
    assert {s.outfit for s in scenes} == set(OUTFITS)
    assert {s.finish for s in scenes} == set(FINISHES)


def test_about_one_in_eight_combinations_is_held_out() -> None:
    every = [held_out_combination(*names) for names in product(CLASS_NOUNS, BACKGROUNDS, COLORS)]
    assert 0.10 < sum(every) / len(every) < 0.15
