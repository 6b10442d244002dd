"""The toy world behind the data-set interface, and its oracle."""

import numpy as np
import pytest

from benchmark.errors import UserError
from benchmark.subjects import Prompt, open_dataset
from benchmark.toyworld.dataset import prompted_scene
from benchmark.toyworld.subjects import SUBJECTS

WORLD = open_dataset("toyworld")


def test_facts_and_photos_agree() -> None:
    for name in WORLD.subject_names():
        subject, facts = WORLD.subject(name), WORLD.facts(name)
        assert {p.name: p.sha256 for p in subject.photos} == dict(facts.checksums)
        assert len(set(facts.checksums.values())) == 5
        assert subject.photos[0].load().size == (64, 64)


def test_splits_name_one_photo_of_every_subject() -> None:
    for k, name in enumerate(["n1", "n1-0", "n1-1", "n1-2", "n1-3", "n1-4"]):
        split = WORLD.split(name)
        assert set(split) == set(SUBJECTS)
        assert split["spotted_dog"] == (f"{max(0, k - 1):02d}.png",)


def test_the_oracle_puts_the_subject_where_the_prompt_says() -> None:
    look = SUBJECTS["spotted_dog"]
    snow = prompted_scene(look, "a dog in the snow", 0)
    assert (snow.background, snow.color, snow.pattern) == ("in-the-snow", "purple", "dotted")
    assert prompted_scene(look, "a red dog", 0).color == "red"
    assert prompted_scene(look, "a cube shaped dog", 0).finish == "cube shaped"
    assert prompted_scene(look, "a dog wearing a red hat", 0).outfit == "wearing-a-red-hat"


def test_oracle_pictures_depend_on_the_seed_alone() -> None:
    prompt = Prompt("in-the-snow", "a {subject} in the snow")
    first = WORLD.oracle("spotted_dog", prompt, 0)
    assert first is not None
    assert first.tobytes() == WORLD.oracle("spotted_dog", prompt, 0).tobytes()
    assert not np.array_equal(first, WORLD.oracle("spotted_dog", prompt, 1))


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="spotted_dog"):
        WORLD.subject("spoted_dog")
    with pytest.raises(UserError, match="n1"):
        WORLD.split("n2")
