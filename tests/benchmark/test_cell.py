import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmark import cell_pictures
from benchmark.atomic import read_json, read_record, write_json
from benchmark.cell import Circumstances, run_cell
from benchmark.config import RunConfig
from benchmark.plan import Cell, plan
from benchmark.records import seal_holds
from benchmark.store import CellFolder, cell_folder
from methods import get_method

Small = Callable[..., RunConfig]
INVERSION = [{"name": "textual-inversion", "preset": "toy"}]


class Killed(BaseException):
    """Stands for a process that is killed: nothing of ours catches it."""


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows whenever Textual Inversion trains."""
    kind = type(get_method("textual-inversion"))
    train, seen = kind.train, []

    def count(self, pipe, task, settings):
        seen.append(task.subject)
        return train(self, pipe, task, settings)

    monkeypatch.setattr(kind, "train", count)
    return seen


def pictures(folder: CellFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.images.iterdir()}


def stop_at(stage: str, step: int = 0) -> Circumstances:
    def report(name: str, done: int, total: int) -> None:
        if name == stage and done >= step:
            raise Killed

    return Circumstances(generation_batch=1, report=report)


def trained_cell(small: Small, **changes: object) -> Cell:
    (cell,) = plan(small(methods=INVERSION, **changes))
    return cell


def killed(small: Small, run: Path, stage: str, step: int = 0) -> tuple[Cell, CellFolder]:
    """A cell that trains and was killed there."""
    cell = trained_cell(small)
    with pytest.raises(Killed):
        run_cell(run, cell, stop_at(stage, step))
    return cell, cell_folder(run, cell.key)


def test_a_cell_leaves_everything_the_store_promises(
    small: Small, tmp_path: Path, trainings: list[str]
) -> None:
    scoring = {"metrics": ["fidelity", "vendi"], "image_encoders": ["efficientnet-lite0"]}
    cell = trained_cell(small, scoring=scoring)
    assert run_cell(tmp_path, cell, Circumstances(start_seconds=0.25))
    folder = cell_folder(tmp_path, cell.key)
    assert folder.state() == {
        "status": "done",
        "kind_of_failure": None,
        "message": None,
        "attempts": 1,
        "stage": None,
        "log_tail": None,
        "flags": {},
        "environments": [],
    }
    assert sorted(pictures(folder)) == [
        "in-the-jungle-0.png",
        "in-the-jungle-1.png",
        "on-the-beach-0.png",
        "on-the-beach-1.png",
    ]
    with Image.open(folder.image("in-the-jungle", 0)) as image:
        assert image.size == (32, 32)
    costs = {(c["stage"], c["measure"]): c["value"] for c in read_json(folder.path / "cost.json")}
    stages = {stage for stage, measure in costs if measure == "wall_seconds"}
    assert stages == {"load", "prepare", "train", "save", "reload", "generate", "score"}
    assert costs["load", "start_seconds"] == 0.25
    assert costs["train", "steps"] == 2
    # What a person reads is not what a machine needs.
    assert "learned_embeds" in (folder.checkpoint / "model_card.md").read_text()
    weights = [f for f in folder.checkpoint.rglob("*") if f.is_file() and f.suffix != ".md"]
    assert costs["save", "checkpoint_bytes"] == sum(f.stat().st_size for f in weights) > 0
    readable = (folder.path / "scores.parquet").stat().st_mode
    assert {f.stat().st_mode for f in folder.checkpoint.rglob("*.safetensors")} == {readable}
    scores = pd.read_parquet(folder.path / "scores.parquet")
    fidelity = scores[(scores.metric == "fidelity") & (scores.reference == "unseen")]
    assert set(fidelity.image) == {f"cells/{cell.key}/images/{n}" for n in pictures(folder)}
    assert set(fidelity.prompt) == {"a dog in the jungle", "a dog on the beach"}


def test_every_stage_is_measured_and_the_steps_are_kept(small: Small, tmp_path: Path) -> None:
    """Two steps of four pictures each; four pictures made, and scored."""
    settings = {"batch_size": 4}
    scoring = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"]}
    (cell,) = plan(small(methods=[INVERSION[0] | {"settings": settings}], scoring=scoring))
    assert run_cell(tmp_path, cell, Circumstances())
    folder = cell_folder(tmp_path, cell.key)
    costs = {(c["stage"], c["measure"]): c["value"] for c in read_json(folder.path / "cost.json")}
    for stage in ("load", "prepare", "train", "save", "reload", "generate", "score"):
        assert costs[stage, "peak_rss_bytes"] > 50e6
        assert costs[stage, "peak_children_rss_bytes"] >= 0
        assert costs[stage, "sampling_looks"] >= 2
        assert costs[stage, "sampling_seconds"] <= costs[stage, "wall_seconds"]
    reference = Path(__file__).parents[2] / "docs" / "reference"
    page = (reference / "measuring.md").read_text(encoding="utf-8")
    assert not [measure for _, measure in costs if f"`{measure}`" not in page]
    kept = folder.losses()
    assert len(kept["losses"]) == len(kept["step_seconds"]) == 2
    assert costs["train", "first_step_seconds"] == kept["step_seconds"][0]
    assert costs["train", "step_seconds_median"] == kept["step_seconds"][1]
    assert costs["train", "steady_steps"] == 1
    assert costs["train", "images"] == 2 * 4
    assert costs["train", "images_per_second"] == pytest.approx(4 / kept["step_seconds"][1])
    for stage in ("generate", "score"):
        assert costs[stage, "images"] == 4
        assert costs[stage, "images_per_second"] == pytest.approx(4 / costs[stage, "wall_seconds"])


def test_a_cell_without_training_has_no_losses(tmp_path: Path) -> None:
    assert cell_folder(tmp_path, "no-such-cell").losses() == {"losses": [], "step_seconds": []}


def test_a_done_cell_is_left_alone(small: Small, tmp_path: Path, trainings: list[str]) -> None:
    cell = trained_cell(small)
    for _ in range(2):
        assert run_cell(tmp_path, cell, Circumstances())
    assert len(trainings) == 1
    assert cell_folder(tmp_path, cell.key).state()["attempts"] == 1


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


def test_the_batch_size_changes_no_picture(small: Small, tmp_path: Path) -> None:
    cell = trained_cell(small)
    made = []
    for size in (1, 3):
        run_cell(tmp_path / str(size), cell, Circumstances(generation_batch=size))
        folder = cell_folder(tmp_path / str(size), cell.key)
        made.append({n: np.asarray(Image.open(folder.images / n), int) for n in pictures(folder)})
    assert made[0].keys() == made[1].keys()
    assert max(np.abs(made[0][name] - made[1][name]).max() for name in made[0]) <= 1


def test_an_error_is_recorded_in_one_line_and_tried_again(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    cell = trained_cell(small)
    folder = cell_folder(tmp_path, cell.key)

    def fail(*arguments: object) -> None:
        raise RuntimeError("no space\nleft")

    with monkeypatch.context() as patch:
        patch.setattr(type(get_method("textual-inversion")), "train", fail)
        assert not run_cell(tmp_path, cell, Circumstances())
    state = folder.state()
    assert (state["status"], state["kind_of_failure"]) == ("failed", "RuntimeError")
    assert (state["stage"], state["message"]) == ("train", "no space left")
    assert "Traceback" in capfd.readouterr().err
    assert run_cell(tmp_path, cell, Circumstances())
    again = folder.state()
    assert (again["status"], again["attempts"]) == ("done", 2)
    assert [again[name] for name in ("kind_of_failure", "message", "stage")] == [None] * 3


def test_training_that_diverges_is_named_with_its_step(small: Small, tmp_path: Path) -> None:
    hot = INVERSION[0] | {"settings": {"learning_rate": 1e30}}
    (cell,) = plan(small(methods=[hot], training={"steps": 5}))
    assert not run_cell(tmp_path, cell, Circumstances())
    state = cell_folder(tmp_path, cell.key).state()
    assert (state["kind_of_failure"], state["stage"]) == ("NotFiniteLoss", "train")
    assert re.match(r"step [2-5]: the loss is (nan|inf); ", state["message"])


@pytest.mark.parametrize(
    ("kind", "known", "tried"),
    [
        ("ValueError", 0, False),
        ("ValueError", 1, True),
        ("ValueError", None, True),
        ("SIGKILL", 0, True),
    ],
)
def test_a_cell_that_another_run_has_just_failed_is_not_tried_again(
    small: Small, tmp_path: Path, kind: str, known: int | None, tried: bool
) -> None:
    """Unless that was planned, or the failure came from outside."""
    (cell,) = plan(small(methods=[{"name": "copy"}]))
    folder = cell_folder(tmp_path, cell.key)
    folder.begin(cell)
    folder.fail(cell, kind, "no", "train")
    assert run_cell(tmp_path, cell, Circumstances(attempts=known)) is tried
    assert folder.state()["attempts"] == 1 + tried


def test_a_method_that_makes_too_few_pictures_is_named(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = plan(small(methods=[{"name": "copy"}]))
    kind = type(get_method("copy"))
    make = kind.images
    monkeypatch.setattr(kind, "images", lambda *given: make(*given)[1:])
    assert not run_cell(tmp_path, cell, Circumstances())
    assert cell_folder(tmp_path, cell.key).state()["message"] == "copy made 3 pictures of 4"


def test_what_ran_before_does_not_matter(small: Small, tmp_path: Path) -> None:
    import torch

    cell = trained_cell(small)
    torch.manual_seed(1)
    run_cell(tmp_path / "a", cell, Circumstances())
    torch.rand(1000)
    run_cell(tmp_path / "b", cell, Circumstances())
    a, b = (pictures(cell_folder(tmp_path / name, cell.key)) for name in "ab")
    assert a == b


def test_controls_have_neither_checkpoint_nor_training_costs(small: Small, tmp_path: Path) -> None:
    cells = plan(small(methods=[{"name": "copy"}, {"name": "oracle"}]))
    for cell in cells:
        assert run_cell(tmp_path, cell, Circumstances())
        folder = cell_folder(tmp_path, cell.key)
        assert not folder.checkpoint.exists()
        stages = {cost["stage"] for cost in read_json(folder.path / "cost.json")}
        assert stages == {"load", "generate", "score"}
    copy, oracle = (pictures(cell_folder(tmp_path, cell.key)) for cell in cells)
    jungle, beach = (
        Image.open(cell_folder(tmp_path, cells[0].key).image(p, 0))
        for p in ("in-the-jungle", "on-the-beach")
    )
    assert jungle.tobytes() == beach.tobytes()
    assert copy != oracle


def test_a_method_that_leaves_torch_otherwise_fails_before_anything_is_scored(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half the precision from here on: no score of its own or of a later cell could be trusted."""
    kind = type(get_method("textual-inversion"))
    images, left = kind.images, torch.autocast("cpu", dtype=torch.bfloat16)

    def careless(self, *arguments):
        found = images(self, *arguments)
        if not torch.is_autocast_enabled("cpu"):
            left.__enter__()
        return found

    monkeypatch.setattr(kind, "images", careless)
    cell = trained_cell(small)
    folder = cell_folder(tmp_path, cell.key)
    try:
        assert not run_cell(tmp_path, cell, Circumstances())
    finally:
        left.__exit__(None, None, None)
    state = folder.state()
    assert (state["kind_of_failure"], state["stage"]) == ("MethodError", "generate")
    assert "left torch's autocast at ['cpu']" in state["message"]
    assert not (folder.path / "scores.parquet").exists()


def test_what_is_said_of_a_done_cell_cannot_be_edited_away(small: Small, tmp_path: Path) -> None:
    cell = trained_cell(small)
    folder = cell_folder(tmp_path, cell.key)
    assert run_cell(tmp_path, cell, Circumstances(on_record=lambda: "here"))
    file = folder.path / "cell.json"
    record = read_json(file)
    for name, value in (("flags", {"one_colour": {"count": 1}}), ("environments", ["there"])):
        write_json(file, record | {name: value})
        assert folder.state()["status"] == "pending"
    write_json(file, record)
    assert folder.done()
