"""A cell that runs to its end: what it leaves, what of it is measured, and what changes nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from benchmark.atomic import read_json, write_json
from benchmark.cell import Circumstances, run_cell
from benchmark.config import RunConfig
from benchmark.plan import plan
from benchmark.store import cell_folder
from tests.benchmark.conftest import INVERSION, pictures, trained_cell

Small = Callable[..., RunConfig]


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


def test_the_batch_size_changes_no_picture(small: Small, tmp_path: Path) -> None:
    cell = trained_cell(small)
    made = []
    for size in (1, 3):
        run_cell(tmp_path / str(size), cell, Circumstances(generation_batch=size))
        folder = cell_folder(tmp_path / str(size), cell.key)
        made.append({n: np.asarray(Image.open(folder.images / n), int) for n in pictures(folder)})
    assert made[0].keys() == made[1].keys()
    assert max(np.abs(made[0][name] - made[1][name]).max() for name in made[0]) <= 1


def test_what_ran_before_does_not_matter(small: Small, tmp_path: Path) -> None:
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
