"""The traps of public evaluation code, by number. Those not here are tested where they belong.

A test that guards against one says so in its docstring, "Trap 11: ..."; the first test below holds
that none of the 18 is without.
"""

import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from benchmark.any_pictures.records import is_picture
from benchmark.collect import collect
from benchmark.metrics import score_images
from benchmark.store import Run
from benchmark.subjects import Prompt
from methods import get_method
from methods.interface import fill
from tests.methods.support import photo, task
from tests.reports.made_up import cell, make_run
from textboost import tokens

TESTS = Path(__file__).parents[1]
TRAPS = range(1, 19)


def test_every_trap_has_a_test():
    guarded = set()
    for file in TESTS.rglob("test_*.py"):
        for docstring in re.findall(
            r'^def test_(?:.|\n)*?"""((?:.|\n)*?)"""', file.read_text(), re.M
        ):
            guarded |= {int(number) for number in re.findall(r"[Tt]rap (\d+)", docstring)}
    assert guarded == set(TRAPS)


def test_the_class_noun_of_a_multi_vector_placeholder_is_said_once(open_pipe):
    """Trap 7: `<dog_0> dog <dog_1> dog`; and trap 16: a placeholder that is expanded twice."""
    pipe = open_pipe()
    token = tokens.add_token(pipe, "<subject>", tokens.initial_rows(pipe, "red dog photo"))
    vectors = token.ids[0]
    assert len(vectors) == 3
    prompt = fill("a {subject} in the snow", "<subject> dog")
    ids = pipe.tokenizer(pipe.maybe_convert_prompt(prompt, pipe.tokenizer)).input_ids
    (dog,) = pipe.tokenizer("dog", add_special_tokens=False).input_ids
    assert ids.count(dog) == 1
    assert [ids.count(vector) for vector in vectors] == [1, 1, 1]
    start = ids.index(vectors[0])
    assert tuple(ids[start : start + 4]) == (*vectors, dog)


@pytest.mark.parametrize("name", ["base", "dreambooth", "textboost", "custom-diffusion"])
def test_prompts_come_from_templates_with_the_class_noun_in_its_place(name):
    """Trap 7: prompt text rebuilt from file names."""
    method = get_method(name)
    prompt = method.prompt("a {subject} in the snow", task(), method.Settings())
    assert prompt.endswith("dog in the snow")
    assert prompt.count("dog") == 1
    assert Prompt("odd id_with-signs", "a {subject} in the snow").text("dog") == "a dog in the snow"


def test_a_runs_folder_may_be_called_anything(tmp_path):
    """Trap 8: settings parsed from directory names."""
    run = make_run(tmp_path / "plain", [cell("textboost", "dog_a"), cell("base", "dog_a")])
    before = run.results()
    odd = tmp_path / "dreambooth-lr5e-6-seed9_sdxl"
    run.path.rename(odd)
    (odd / "results.parquet").unlink()
    collect(Run.open(odd))
    pd.testing.assert_frame_equal(Run.open(odd).results(), before)


@pytest.mark.parametrize("name", ["a.PNG", "b.JPG", "c.jpeg", "d.WebP"])
def test_pictures_are_known_by_their_suffix_in_capitals_too(name):
    """Trap 9: uppercase extensions skipped in silence."""
    assert is_picture(Path(name))
    assert not is_picture(Path("e.txt"))


def test_scoring_leaves_no_file_where_it_is_called(tmp_path, monkeypatch):
    """Trap 10: temporary files with fixed names in the working directory."""
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame(
        {"prompt_id": ["p"], "prompt": ["a dog"], "seed": [0], "image": ["p-0.png"]}
    )
    images = [photo()]
    encoders = ["efficientnet-lite0"]
    scored = score_images(
        rows, images, ["a dog"], [photo(seed=1)], [photo(seed=2)], ["fidelity"], encoders, []
    )
    assert len(scored)
    assert list(tmp_path.iterdir()) == []
    assert isinstance(images[0], Image.Image)
