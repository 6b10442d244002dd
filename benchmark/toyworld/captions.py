"""Scenes in words, and words as scenes.

A caption states some of a scene's facts in the phrases of DreamBench's prompts and of the
templates that personalization methods train with; `parse` reads them back.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmark.toyworld.scenes import BACKGROUNDS, CLASS_NOUNS, COLORS, FINISHES, OUTFITS, Scene

# Words that no picture explains. Some identify nothing at all: in a large model's vocabulary a
# rare word is rare, not unseen, and methods such as DreamBooth bind the subject to one of them.
IDENTIFIERS = ("sks", "ktn", "pll", "ucd", "zwx", "olis", "mnq", "vbr")
ADJECTIVES = ("clean", "dirty", "nice", "cool", "weird", "small", "large")
OPENINGS = (
    "a photo of a",
    "a photo of the",
    "a photo of my",
    "a photo of one",
    "the photo of a",
    "a good photo of a",
    "a cropped photo of the",
    "a close-up photo of a",
    "a rendering of a",
    "a rendition of the",
    "photo of a",
)
PATTERN_WORDS = {"plain": "plain", "striped": "striped", "dotted": "dotted", "checked": "checked"}
VIEW_WORDS = {"far": "far away", "close": "zoom in"}
LIGHT_WORDS = {"dark": "dark", "bright": "bright", "grayscale": "grayscale"}
PARTS = {
    "backpack": "pocket",
    "stuffed animal": "belly",
    "bowl": "filling",
    "can": "label",
    "candle": "plate",
    "cat": "collar",
    "clock": "bells",
    "sneaker": "stripe",
    "dog": "collar",
    "toy": "wheels",
    "boot": "cuff",
    "glasses": "lenses",
    "cartoon": "antennae",
    "teapot": "lid",
    "vase": "band",
}


@dataclass(frozen=True)
class Caption:
    """A caption and the facts it states, a subset of `Scene.facts()`."""

    text: str
    states: dict[str, str]


def caption(scene: Scene, rng: random.Random) -> Caption:
    """A random caption that is true of the scene: lower case, at most 30 words."""
    facts = scene.facts()
    if rng.random() < 0.04:
        return _place_only(scene, facts)
    states = {"class": facts["class"]}
    if facts["color"] != "unseen" and rng.random() < 0.7:
        states["color"] = facts["color"]
    if (scene.pattern != "plain" and rng.random() < 0.65) or rng.random() < 0.1:
        states["pattern"] = facts["pattern"]
    if facts["accent"] != "unseen" and rng.random() < 0.15:
        states["accent"] = facts["accent"]
    for name, share in (("background", 0.85), ("outfit", 0.95), ("finish", 0.95)):
        if facts[name] not in ("studio", "none", "plain") and rng.random() < share:
            states[name] = facts[name]
    for name in ("view", "light"):
        if facts[name] != "normal":
            states[name] = facts[name]
    return Caption(_words(states, rng), states)


def plain_caption(states: dict[str, str]) -> str:
    """The shortest wording of the given facts, which must include the class noun."""
    return " ".join(["a", *_phrase(states)])


def _place_only(scene: Scene, facts: dict[str, str]) -> Caption:
    if scene.background == "studio":
        return Caption("a photo", {})
    return Caption(BACKGROUNDS[scene.background], {"background": facts["background"]})


def _phrase(states: dict[str, str], extra: str = "") -> list[str]:
    words = [
        extra,
        states.get("finish", ""),
        states.get("color", ""),
        PATTERN_WORDS.get(states.get("pattern", ""), ""),
        states["class"],
        OUTFITS[states.get("outfit", "none")],
    ]
    if "accent" in states:
        words.append(f"with {states['accent']} {PARTS[states['class']]}")
    words.append(BACKGROUNDS[states.get("background", "studio")])
    return [word for word in words if word]


def _words(states: dict[str, str], rng: random.Random) -> str:
    extra = ""
    draw = rng.random()
    if draw < 0.05:
        extra = rng.choice(IDENTIFIERS)
    elif draw < 0.09:
        extra = rng.choice(ADJECTIVES)
    phrase = " ".join(_phrase(states, extra))
    opening = rng.choice(OPENINGS) if rng.random() < 0.4 else "a"
    camera = [VIEW_WORDS.get(states.get("view", ""), ""), LIGHT_WORDS.get(states.get("light", ""))]
    seen_by = " ".join(word for word in camera if word)
    if not seen_by:
        return f"{opening} {phrase}"
    if rng.random() < 0.5:
        return f"{opening} {phrase}, {seen_by}"
    return f"{seen_by} photo of a {phrase}"


def parse(text: str) -> dict[str, str]:
    """The facts a caption or prompt states; the class noun is missing where none is named.

    Phrases are taken out as they are read, so that the colour of a rug or a hat is not taken for
    the subject's.
    """
    rest = f" {' '.join(text.lower().replace(',', ' ').split())} "
    states: dict[str, str] = {}

    def take(kind: str, value: str, phrase: str) -> None:
        nonlocal rest
        if phrase and kind not in states and f" {phrase} " in rest:
            states[kind] = value
            rest = rest.replace(f" {phrase} ", "  ", 1)

    for kind, phrases in (("background", BACKGROUNDS), ("outfit", OUTFITS)):
        for value in sorted(phrases, key=lambda v: -len(phrases[v])):
            take(kind, value, phrases[value])
    for color in COLORS:
        for noun, part in PARTS.items():
            if f" {noun} " in rest:
                take("accent", color, f"with {color} {part}")
    for noun in sorted(CLASS_NOUNS, key=len, reverse=True):
        take("class", noun, noun)
    for finish in FINISHES[1:]:
        take("finish", finish, finish)
    for color in COLORS:
        take("color", color, color)
    for pattern, word in PATTERN_WORDS.items():
        take("pattern", pattern, word)
    for view, word in VIEW_WORDS.items():
        take("view", view, word)
    for light, word in LIGHT_WORDS.items():
        take("light", light, word)
    return states
