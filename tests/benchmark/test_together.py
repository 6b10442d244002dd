"""Two subjects in one cell: planned, trained, named in the prompt, scored against both."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.cell import Circumstances, run_cell, set_up
from benchmark.config import RunConfig, load_config
from benchmark.errors import UserError
from benchmark.pictures import write_thumbnails
from benchmark.plan import Cell, plan
from benchmark.store import cell_folder
from benchmark.toyworld.dataset import ToyWorld

Small = Callable[..., RunConfig]
PAIR = "spotted_dog+rain_boot"
INVERSION = [{"name": "textual-inversion", "preset": "toy"}]


def pair_cell(small: Small, **changes: object) -> Cell:
    (cell,) = plan(small(subjects=[PAIR], **{"methods": INVERSION, **changes}))
    return cell


def test_the_photos_of_both_are_seen_and_held_out(small: Small) -> None:
    cell = pair_cell(small)
    assert cell.class_noun == "dog and boot"
    assert list(cell.seen) == ["spotted_dog/00.png", "rain_boot/00.png"]
    held_out = {f"{name}/0{k}.png" for name in ("spotted_dog", "rain_boot") for k in range(1, 5)}
    assert set(cell.unseen) == held_out
    alone = plan(small(subjects=["rain_boot"], methods=INVERSION))[0]
    assert cell.seen["rain_boot/00.png"] == alone.seen["00.png"]


def test_each_concept_has_its_own_word_and_photo(small: Small, tmp_path: Path) -> None:
    cell = pair_cell(small)
    folder = cell_folder(tmp_path, cell.key)
    bench = set_up(folder, cell, Circumstances())
    assert [one.class_noun for one in bench.task.concepts] == ["dog", "boot"]
    assert [len(one.photos) for one in bench.task.concepts] == [1, 1]
    assert list(bench.task.photos[0].getdata()) != list(
        bench.task.companions[0].photos[0].getdata()
    )
    prompt = bench.method.prompt("a {subject} on the beach", bench.task, bench.settings)
    assert prompt == "a <subject> and <subject-2> on the beach"


def test_a_pair_runs_to_its_scores(small: Small, tmp_path: Path) -> None:
    scoring = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"]}
    cell = pair_cell(small, scoring=scoring)
    assert run_cell(tmp_path, cell, Circumstances())
    folder = cell_folder(tmp_path, cell.key)
    saved = {path.name for path in folder.checkpoint.glob("*.safetensors")}
    assert saved == {"learned_embeds.safetensors", "learned_embeds_2.safetensors"}


def test_methods_of_one_subject_and_unknown_parts_are_refused(small: Small) -> None:
    message = "'dreambooth' learns one subject at a time, not 'spotted_dog\\+rain_boot'"
    with pytest.raises(UserError, match=message):
        pair_cell(small, methods=[{"name": "dreambooth", "preset": "toy"}])
    with pytest.raises(UserError, match="unknown subject 'rain_bot'"):
        plan(small(subjects=["spotted_dog+rain_bot"]))
    inversion = [{"name": "textual-inversion", "preset": "toy"}]
    for subjects, said in (
        (["spotted_dog+spotted_dog"], "has one subject twice"),
        ([PAIR, "rain_boot+spotted_dog"], "are the same ones together"),
    ):
        with pytest.raises(UserError, match=said):
            plan(small(subjects=subjects, methods=inversion))


def test_thumbnails_show_the_photos_of_both(tmp_path: Path) -> None:
    """Photos of two subjects share their names: "00.png" of each has a copy of its own."""
    names = ["spotted_dog", "tiger_cat"]
    config = load_config("toy-pairs", [f'subjects=["{"+".join(names)}"]'])
    write_thumbnails(tmp_path, plan(config))
    (folder,) = (tmp_path / "photos").iterdir()
    written = {path.name for path in folder.iterdir()}
    assert {f"seen-{name}-00.png" for name in names} <= written
    assert len(written) == sum(len(ToyWorld().facts(name).checksums) for name in names)
