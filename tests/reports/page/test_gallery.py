"""Which pictures a page shows, and how they get into it."""

import json
import shutil
from dataclasses import replace

import pytest

from benchmark.store import Run
from reports.page import gallery
from reports.page.material import material_of
from reports.page.thumbnails import embedded, thumbnails
from reports.tables import summary


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


def test_no_text_ends_the_script_element_or_opens_a_comment_in_it():
    hostile = {"a": "</script><!--<script>&amp;\u2028\u2029", "b": "\u202e'\"\\", "c": 0.25}
    text = gallery.script_safe(hostile)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == hostile


def test_half_a_surrogate_pair_is_written_as_a_question_mark():
    assert json.loads(gallery.script_safe(["a\ud800b"])) == ["a?b"]


def test_a_page_with_its_pictures_inside_leaves_out_seeds_and_says_so(run, monkeypatch):
    monkeypatch.setattr(gallery, "BUDGET", 6 * 6 * 2)
    table = summary(run.results())
    made = gallery.gallery(material_of(run), table, embedded, None, all_of_them=False)
    assert made.pictures == 6 * 6 * 2
    assert made.left_out == "1 of 2 seeds"
    content = json.loads(made.content)
    assert all(file.startswith("data:image/png;base64,") for file in content["files"])
    assert {tuple(cell[4]) for cell in content["cells"]} == {(0,)}


def test_the_page_knows_the_pictures_own_files_only_inside_its_runs_folder(run, tmp_path):
    material, table = material_of(run), summary(run.results())

    def folders(page, **changes):
        shown = gallery.gallery(
            replace(material, **changes), table, lambda paths, sums: {}, page, True
        )
        return json.loads(shown.content)["folders"]

    page = run.path / "reports" / "first one"
    found = folders(page)
    keys = [found_cell.rsplit("/", 2)[-2] for found_cell in found]
    assert sorted(keys) == sorted(cell.key for cell in run.planned)
    for folder, key in zip(found, keys, strict=True):
        assert folder == f"../../cells/{key}/images"
        assert (page / folder / "on-the-beach-1.png").resolve() == run.image(key, "on-the-beach", 1)
    assert folders(tmp_path) == folders(None) == folders(page, home=None) == []
    assert folders(run.path.parent) == []


def test_a_picture_that_is_not_the_scored_one_is_not_shown_beside_its_scores(run, tmp_path):
    copy = Run.open(shutil.copytree(run.path, tmp_path / "copy"))
    material, table = material_of(copy), summary(copy.results())
    assert gallery.gallery(material, table, embedded, None, True).lacking == 0
    edited, other = sorted(copy.path.glob("cells/*/images/*.png"))[:2]
    edited.write_bytes(other.read_bytes())
    for make in (embedded, lambda paths, sums: thumbnails(paths, tmp_path / "report", sums)):
        shown = gallery.gallery(material, table, make, None, True)
        assert shown.lacking == 1
        assert json.loads(shown.content)["files"].count("") == 1


def test_without_a_done_cell_there_is_no_gallery(run):
    material = material_of(run)
    pending = tuple(dict(cell) | {"status": "pending"} for cell in material.cells)
    nothing = type(material)(**{**vars(material), "cells": pending})
    assert gallery.gallery(nothing, summary(run.results()), embedded, None, True) is None
