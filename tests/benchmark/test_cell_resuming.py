"""A cell that was killed, or harmed on disk, goes on to the same pictures."""

import mmap
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmark import cell_pictures
from benchmark.atomic import read_json, read_record
from benchmark.cell import Circumstances, run_cell
from benchmark.config import RunConfig
from benchmark.plan import Cell, plan
from benchmark.records import seal_holds, write_sealed
from benchmark.store import CellFolder, cell_folder
from tests.benchmark.conftest import INVERSION, pictures, trained_cell

Small = Callable[..., RunConfig]


class Killed(BaseException):
    """Stands for a process that is killed: nothing of ours catches it."""


def stop_at(stage: str, step: int = 0) -> Circumstances:
    def report(name: str, done: int, total: int) -> None:
        if name == stage and done >= step:
            raise Killed

    return Circumstances(generation_batch=1, report=report)


def killed(small: Small, run: Path, stage: str, step: int = 0) -> tuple[Cell, CellFolder]:
    """A cell that trains and was killed there."""
    cell = trained_cell(small)
    with pytest.raises(Killed):
        run_cell(run, cell, stop_at(stage, step))
    return cell, cell_folder(run, cell.key)


@pytest.mark.parametrize(
    ("stage", "step", "times_trained"),
    [("train", 1, 2), ("save", 0, 2), ("reload", 0, 1), ("generate", 2, 1), ("score", 0, 1)],
)
def test_a_killed_cell_goes_on_to_the_same_pictures(
    small: Small,
    tmp_path: Path,
    trainings: list[str],
    stage: str,
    step: int,
    times_trained: int,
) -> None:
    cell = trained_cell(small)
    straight, broken = cell_folder(tmp_path / "a", cell.key), cell_folder(tmp_path / "b", cell.key)
    run_cell(tmp_path / "a", cell, Circumstances(generation_batch=1))
    trainings.clear()
    with pytest.raises(Killed):
        run_cell(tmp_path / "b", cell, stop_at(stage, step))
    assert not broken.done()
    left = pictures(broken) if broken.images.exists() else {}
    assert len(left) == {"generate": 2, "score": 4}.get(stage, 0)
    assert run_cell(tmp_path / "b", cell, Circumstances(generation_batch=1))
    assert len(trainings) == times_trained
    assert pictures(broken) == pictures(straight)
    assert broken.state()["attempts"] == 2


def test_kept_pictures_are_not_made_again(
    small: Small, tmp_path: Path, trainings: list[str]
) -> None:
    cell, folder = killed(small, tmp_path, "generate", 2)
    written = {path.name: path.stat().st_mtime_ns for path in folder.images.iterdir()}
    spent = sum(read_record(folder.path / "generate.json")["seconds"].values())
    run_cell(tmp_path, cell, Circumstances(generation_batch=1))
    assert {name: (folder.images / name).stat().st_mtime_ns for name in written} == written
    costs = {(c["stage"], c["measure"]): c["value"] for c in read_json(folder.path / "cost.json")}
    assert costs["generate", "wall_seconds"] > spent  # the first attempt's time is not lost


@pytest.mark.parametrize(("stage", "step"), [("generate", 2), ("score", 0)])
def test_the_memory_of_kept_pictures_counts(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, step: int
) -> None:
    """The attempt that made them took it; the one that ends the cell makes fewer, or none."""
    sample, large, sizes = cell_pictures.sample, 300 * 2**20, []

    def hungry(*arguments: Any) -> Any:
        sizes.append(psutil.Process().memory_info().rss)
        # Of the system itself: an array could lie where freed memory is still the process's own.
        block = mmap.mmap(-1, large, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        block.write(bytes(large))
        block.close()
        return sample(*arguments)

    monkeypatch.setattr(cell_pictures, "sample", hungry)
    cell, folder = killed(small, tmp_path, stage, step)
    monkeypatch.setattr(cell_pictures, "sample", sample)
    file = folder.path / "generate.json"
    spent = read_record(file)
    assert spent["peaks"]["peak_rss_bytes"] > sizes[0] + 0.9 * large
    # More than any process here has by itself, whatever ran in it before.
    write_sealed(file, {**spent, "peaks": {**spent["peaks"], "peak_rss_bytes": 10**15}})
    run_cell(tmp_path, cell, Circumstances(generation_batch=1))
    costs = {(c["stage"], c["measure"]): c["value"] for c in read_json(folder.path / "cost.json")}
    assert costs["generate", "peak_rss_bytes"] == 10**15


@pytest.mark.parametrize("finished", [True, False])
def test_folders_that_have_changed_places_are_not_taken_for_each_other(
    small: Small, tmp_path: Path, trainings: list[str], finished: bool
) -> None:
    cells = plan(small(methods=INVERSION, train_seeds=[0, 1]))
    folders = [cell_folder(tmp_path, cell.key) for cell in cells]
    for cell in cells:
        if finished:
            run_cell(tmp_path, cell, Circumstances())
        else:
            with pytest.raises(Killed):
                run_cell(tmp_path, cell, stop_at("score"))
    right = [pictures(folder) for folder in folders]
    aside = tmp_path / "aside"
    folders[0].path.rename(aside)
    folders[1].path.rename(folders[0].path)
    aside.rename(folders[1].path)
    for cell, folder in zip(cells, folders, strict=True):
        assert folder.state()["status"] == "pending"
        assert folder.state()["attempts"] == 0
        run_cell(tmp_path, cell, Circumstances())
        assert folder.done()
    assert len(trainings) == 4
    assert [pictures(folder) for folder in folders] == right
    assert right[0] != right[1]


def test_pictures_whose_batch_stood_still_are_made_again(
    small: Small,
    tmp_path: Path,
    trainings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    go_on: Callable[[], None],
) -> None:
    """They have no time to count with when an attempt goes on with what an earlier one left."""
    sample, calls = cell_pictures.sample, []

    def stopped_in_the_second(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            go_on()
        return sample(*arguments)

    monkeypatch.setattr(cell_pictures, "sample", stopped_in_the_second)
    cell, folder = killed(small, tmp_path, "generate", 3)
    assert len(calls) == 3
    assert len(read_record(folder.path / "generate.json")["seconds"]) == 2
    run_cell(tmp_path, cell, Circumstances(generation_batch=1))
    assert len(calls) == 3 + 2
    assert len(read_record(folder.path / "generate.json")["seconds"]) == 4
    costs = {(c["stage"], c["measure"]) for c in read_json(folder.path / "cost.json")}
    assert ("generate", "wall_seconds") in costs


def test_a_kept_picture_that_was_saved_by_something_else_is_made_again(
    small: Small, tmp_path: Path
) -> None:
    """As by an optimizer of PNG files, which keeps the notes inside."""
    cell, folder = killed(small, tmp_path, "score")
    before = pictures(folder)
    file = sorted(folder.images.iterdir())[0]
    with Image.open(file) as image:
        notes = PngInfo()
        for name, text in image.text.items():
            notes.add_text(name, text)
        image.resize((16, 16)).save(file, pnginfo=notes)
    assert run_cell(tmp_path, cell, Circumstances(generation_batch=1))
    assert pictures(folder) == before


def test_a_cell_names_every_environment_that_something_of_it_is_left_of(
    small: Small, tmp_path: Path
) -> None:
    """Trained on one machine, and after a kill drawn on two others."""
    cell = trained_cell(small)
    folder = cell_folder(tmp_path, cell.key)
    for place, step in (("first", 1), ("second", 2)):
        with pytest.raises(Killed):
            run_cell(tmp_path, cell, replace(stop_at("generate", step), on_record=place.strip))
    assert folder.state()["environments"] == []
    third = Circumstances(generation_batch=1, on_record=lambda: "third")
    assert run_cell(tmp_path, cell, third)
    assert folder.state()["environments"] == ["first", "second", "third"]


def test_a_damaged_checkpoint_and_its_pictures_are_made_again(
    small: Small, tmp_path: Path, trainings: list[str]
) -> None:
    cell, folder = killed(small, tmp_path, "generate", 2)
    weights = next(folder.checkpoint.rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-4] + b"junk")
    assert run_cell(tmp_path, cell, Circumstances())
    assert len(trainings) == 2


def test_times_that_were_altered_on_disk_reach_no_table(
    small: Small, tmp_path: Path, trainings: list[str]
) -> None:
    """A flipped digit leaves valid JSON: training and pictures are made again, and timed."""
    cell, folder = killed(small, tmp_path, "generate", 2)
    for name in ("checkpoint.json", "generate.json"):
        assert seal_holds(folder.path / name)
        text = (folder.path / name).read_text()
        (folder.path / name).write_text(re.sub(r": (\d+)\.", r": 9999\1.", text))
        assert seal_holds(folder.path / name) is False
    assert run_cell(tmp_path, cell, Circumstances())
    assert len(trainings) == 2
    costs = read_json(folder.path / "cost.json")
    assert max(cost["value"] for cost in costs if cost["unit"] == "s") < 9999


def test_pictures_that_have_changed_places_are_made_again(
    small: Small, tmp_path: Path, trainings: list[str]
) -> None:
    cell = trained_cell(small)
    folder = cell_folder(tmp_path, cell.key)
    assert run_cell(tmp_path, cell, Circumstances())
    before = pictures(folder)
    one, other = sorted(folder.images.iterdir())[:2]
    assert one.read_bytes() != other.read_bytes()
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    (folder.path / "cell.json").unlink()
    assert run_cell(tmp_path, cell, Circumstances())
    assert pictures(folder) == before


@pytest.mark.parametrize("left", [None, b'{"losses": [0.'])
def test_losses_that_are_lost_are_had_again(
    small: Small, tmp_path: Path, trainings: list[str], left: bytes | None
) -> None:
    cell, folder = killed(small, tmp_path, "reload")
    losses = folder.losses()["losses"]
    (folder.path / "losses.json").unlink()
    if left is not None:
        (folder.path / "losses.json").write_bytes(left)
    assert run_cell(tmp_path, cell, Circumstances())
    assert folder.losses()["losses"] == losses
    assert len(losses) == 2
