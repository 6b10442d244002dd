"""Random scenes for training, and what training must never see."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

from benchmark.toyworld.scenes import (
    BACKGROUNDS,
    CLASS_NOUNS,
    COLORS,
    FINISHES,
    LIGHTS,
    LIVE,
    OUTFITS,
    PATTERNS,
    Scene,
)
from benchmark.toyworld.subjects import SUBJECTS


def held_out(scene: Scene) -> bool:
    """True when training must never see this scene.

    One in eight combinations of class, background and colour is kept out, chosen by a hash so
    that the choice needs no list, and so is every (class, colour, pattern, accent) of the
    held-out subjects.
    """
    look = (scene.class_noun, scene.color, scene.pattern)
    if any(look == (s.class_noun, s.color, s.pattern) for s in SUBJECTS.values()):
        return True
    return held_out_combination(scene.class_noun, scene.background, scene.color)


def held_out_combination(class_noun: str, background: str, color: str) -> bool:
    """Whether this combination, one of eight by its hash, is kept from all training."""
    digest = hashlib.sha256(f"{class_noun}|{background}|{color}".encode()).digest()
    return digest[0] < 32


def random_scene(rng: random.Random) -> Scene:
    """Draws a scene that training may see."""
    while True:
        scene = _any_scene(rng)
        if not held_out(scene):
            return scene


def _any_scene(rng: random.Random) -> Scene:
    class_noun = rng.choice(CLASS_NOUNS)
    color = rng.choice(tuple(COLORS))
    accent = rng.choice([name for name in COLORS if name != color])
    scene = Scene(
        class_noun=class_noun,
        color=color,
        pattern=rng.choices(PATTERNS, weights=(5, 2, 2, 2))[0],
        accent=accent,
        proportions=(rng.random(), rng.random(), rng.random()),
        background=_random_background(rng),
        scale=rng.uniform(0.92, 1.1),
        shift=(rng.uniform(-0.06, 0.06), rng.uniform(-0.03, 0.03)),
        detail=rng.randrange(1 << 30),
    )
    if class_noun in LIVE and rng.random() < 0.35:
        scene = replace(scene, outfit=rng.choice([name for name in OUTFITS if name != "none"]))
    elif rng.random() < 0.12:
        scene = replace(scene, finish=rng.choice(FINISHES[1:]))
    draw = rng.random()
    if draw < 0.03:
        scene = replace(scene, view="far", scale=rng.uniform(0.5, 0.6))
    elif draw < 0.06:
        scene = replace(scene, view="close", scale=rng.uniform(1.45, 1.7))
    elif draw < 0.10:
        scene = replace(scene, light=rng.choice(LIGHTS[1:]))
    return scene


def _random_background(rng: random.Random) -> str:
    if rng.random() < 0.22:
        return "studio"
    return rng.choice([name for name in BACKGROUNDS if name != "studio"])
