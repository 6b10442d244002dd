"""Which pictures a page shows, and how they get into it."""

import base64
from io import BytesIO

import pytest
from PIL import Image

from reports import gallery


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ((6, 6, 4, 2), (4, 2)),  # 288 pictures: all of them
        ((30, 6, 4, 4), (4, 1)),  # 2,880: one seed of each prompt
        ((30, 10, 25, 4), (3, 1)),  # 30,000: three prompts
        ((100, 100, 5, 1), (1, 1)),  # never less than one
    ],
)
def test_seeds_give_way_before_prompts(grid, expected):
    selection = gallery.select(*grid, budget=900)
    assert (selection.prompts, selection.seeds) == expected


def test_evenly_keeps_the_first_and_spreads_the_rest():
    assert gallery.evenly("abcdefgh", 3) == ["a", "c", "f"]
    assert gallery.evenly("abc", 5) == ["a", "b", "c"]


def test_small_pictures_are_inlined_byte_for_byte_and_pixelated(tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    made = gallery.picture(tmp_path / "a.png", "a red square")
    kind, _, content = made.source.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == (tmp_path / "a.png").read_bytes()
    assert made.pixelated


def test_large_pictures_become_thumbnails(tmp_path):
    Image.effect_noise((1024, 768), 80).convert("RGB").save(tmp_path / "a.png")
    made = gallery.picture(tmp_path / "a.png", "noise")
    kind, _, content = made.source.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(BytesIO(base64.b64decode(content))).size == (256, 192)
    assert not made.pixelated


def test_a_missing_picture_is_none(tmp_path):
    assert gallery.picture(tmp_path / "no.png", "") is None
