"""Captions say what the picture shows, and can be read back."""

import random

import pytest

from benchmark.dreambench import DreamBench
from benchmark.toyworld.captions import caption, parse, plain_caption
from benchmark.toyworld.sampling import random_scene
from benchmark.toyworld.scenes import BACKGROUNDS, OUTFITS


def test_captions_are_true_of_their_scene_and_read_back() -> None:
    rng = random.Random(5)
    for _ in range(3000):
        scene = random_scene(rng)
        said = caption(scene, rng)
        facts = scene.facts()
        assert said.states.items() <= facts.items()
        assert parse(said.text) == said.states, said.text
        assert said.text == said.text.lower()
        assert len(said.text.split()) <= 30


def test_a_grayscale_picture_is_never_said_to_have_a_colour() -> None:
    rng = random.Random(6)
    gray = [s for s in (random_scene(rng) for _ in range(3000)) if s.light == "grayscale"]
    assert gray
    for scene in gray:
        said = caption(scene, rng)
        assert said.states.get("color") is None
        assert said.states.get("accent") is None


@pytest.mark.parametrize(("noun", "live"), [("dog", True), ("teapot", False)])
def test_every_dreambench_prompt_can_be_drawn(noun: str, live: bool) -> None:
    for prompt in DreamBench().prompts(live):
        states = parse(prompt.text(noun))
        assert states.pop("class") == noun
        assert len(states) == 1, prompt
        ((kind, value),) = states.items()
        assert value.replace(" ", "-") in prompt.id
        assert kind in ("background", "outfit", "color", "finish")
    assert set(BACKGROUNDS) - {"studio"} <= {p.id for p in DreamBench().prompts(False)}
    assert set(OUTFITS) - {"none"} <= {p.id for p in DreamBench().prompts(True)}


@pytest.mark.parametrize(
    ("text", "states"),
    [
        (
            "a sks dog on top of a purple rug in a forest",
            {"class": "dog", "background": "on-a-purple-rug-in-a-forest"},
        ),
        ("a cat in a purple wizard outfit", {"class": "cat", "outfit": "in-a-wizard-outfit"}),
        ("A red stuffed animal", {"class": "stuffed animal", "color": "red"}),
        (
            "a black boot with white cuff, far away",
            {"class": "boot", "color": "black", "accent": "white", "view": "far"},
        ),
        ("a photo", {}),
    ],
)
def test_parse_by_hand(text: str, states: dict[str, str]) -> None:
    assert parse(text) == states


def test_plain_caption_by_hand() -> None:
    facts = {"class": "dog", "color": "red", "pattern": "striped", "background": "in-the-snow"}
    assert plain_caption(facts) == "a red striped dog in the snow"
