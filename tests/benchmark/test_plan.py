import json
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import methods
from benchmark.backbones import open_backbone
from benchmark.config import RunConfig, load_config, ready_runs
from benchmark.errors import UserError
from benchmark.plan import LATER, Cell, cell_key, check_ready, plan
from benchmark.scoring import other_photos
from benchmark.toyworld.dataset import ToyWorld

Small = Callable[..., RunConfig]
TEXTBOOST = {"name": "textboost", "preset": "toy"}
INVERSION = {"name": "textual-inversion", "preset": "toy"}


def inversion(config: RunConfig) -> Cell:
    (cell,) = [cell for cell in plan(config) if cell.method == "textual-inversion"]
    return cell


def test_one_cell_per_method_subject_and_training_seed(small: Small) -> None:
    cells = plan(small(subjects=["spotted_dog", "rain_boot"], train_seeds=[0, 5]))
    assert [(c.train_seed, c.subject, c.method) for c in cells] == [
        (seed, subject, method)
        for seed in (0, 5)
        for subject in ("spotted_dog", "rain_boot")
        for method in ("base", "textual-inversion")
    ]
    assert len({cell.key for cell in cells}) == len(cells)


def test_a_plan_is_the_same_every_time_and_after_json(small: Small) -> None:
    cells = plan(small())
    assert cells == plan(small())
    read = [Cell.from_json(json.loads(json.dumps(cell.to_json()))) for cell in cells]
    assert [cell.key for cell in read] == [cell.key for cell in cells]


@pytest.mark.parametrize(
    "change",
    [
        {"generation": {"batch_size": 3}},
        {"scoring": {"batch_size": 3}},
        {"execution": {"workers": 7}},
        {"execution": {"threads": 2}},
        {"execution": {"device": "cuda:1"}},
        {"title": "Another title"},
        {"name": "another"},
        {"subjects": ["rain_boot", "spotted_dog"]},
        {"methods": [INVERSION]},
    ],
)
def test_what_changes_no_outcome_changes_no_key(small: Small, change: dict[str, Any]) -> None:
    keys = {cell.key for cell in plan(small(**change))}
    assert inversion(small()).key in keys


@pytest.mark.parametrize(
    "change",
    [
        {"methods": [{"name": "textual-inversion", "preset": "paper"}]},
        {"methods": [INVERSION | {"settings": {"learning_rate": 0.5}}]},
        {"training": {"steps": 3}},
        {"training": {"precision": "bf16"}},
        {"training": {"resolution": 16}},
        {"split": "n1-1"},
        {"subjects": ["rain_boot"]},
        {"train_seeds": [1]},
        {"generation": {"seeds": [0, 2]}},
        {"generation": {"steps": 3}},
        {"generation": {"guidance_scale": 1.0}},
        {"generation": {"sampler": "ddim"}},
        {"prompts": ["in-the-jungle"]},
        {"scoring": {"metrics": ["vendi"]}},
        {"scoring": {"image_encoders": ["efficientnet-lite0"]}},
    ],
)
def test_what_changes_the_outcome_changes_the_key(small: Small, change: dict[str, Any]) -> None:
    """Trap 18: a finished run whose configuration has changed since."""
    assert inversion(small(**change)).key != inversion(small()).key


def test_the_methods_code_is_part_of_the_key(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    before = inversion(small()).key
    monkeypatch.setattr(methods, "code_version", lambda name: "another code")
    assert inversion(small()).key != before


def test_the_backbones_weights_are_part_of_the_key(small: Small, tiny_backbone: Path) -> None:
    before = inversion(small()).key
    config = tiny_backbone / "scheduler" / "scheduler_config.json"
    text = config.read_text()
    try:
        config.write_text(text + "\n")
        open_backbone.cache_clear()
        assert inversion(small()).key != before
    finally:
        config.write_text(text)
        open_backbone.cache_clear()


def test_training_steps_go_over_presets_and_a_methods_own_over_them(small: Small) -> None:
    assert inversion(small()).settings["steps"] == 2
    entry = INVERSION | {"settings": {"steps": 9}}
    assert inversion(small(methods=[entry])).settings["steps"] == 9
    base, _ = plan(small())
    assert "steps" not in base.settings


def test_photos_are_told_apart_as_the_split_says(small: Small) -> None:
    cell = inversion(small(split="n1-2"))
    assert list(cell.seen) == ["02.png"]
    assert len(cell.unseen) == 4
    assert not set(cell.seen.values()) & set(cell.unseen.values())


def test_a_second_plan_imports_no_method(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: dict[str, Any] = {}
    first = plan(small(), resolved)
    resolved = json.loads(json.dumps(resolved))

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(methods, "get_method", refuse)
    assert [cell.key for cell in plan(small(), resolved)] == [cell.key for cell in first]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": [{"name": "textbost"}]}, "unknown method 'textbost'; did you mean 'textboo"),
        (
            {"methods": [{"name": "base", "preset": "papre"}]},
            "unknown preset 'papre' of method 'base'; did you mean 'paper'",
        ),
        (
            {"methods": [INVERSION | {"settings": {"step": 3}}]},
            "unknown setting 'step' of method 'textual-inversion'; did you mean 'steps'",
        ),
        (
            {"methods": [INVERSION | {"settings": {"steps": "many"}}]},
            "methods.textual-inversion.steps: expected a whole number, got 'many'",
        ),
        (
            {"methods": [INVERSION | {"settings": {"vectors": -1}}]},
            "methods.textual-inversion.vectors: expected 0 or more, got -1",
        ),
        (
            {"methods": [INVERSION | {"settings": {"batch_size": 0}}]},
            "methods.textual-inversion.batch_size: expected 1 or more, got 0",
        ),
        (
            {"methods": [TEXTBOOST | {"settings": {"augmentation_probability": 1.5}}]},
            "methods.textboost.augmentation_probability: expected 0 to 1, got 1.5",
        ),
        ({"methods": [INVERSION, INVERSION]}, "is listed twice"),
        ({"backbone": "toi"}, "unknown backbone 'toi'; did you mean 'toy'"),
        ({"dataset": "dreambnch"}, "unknown dataset 'dreambnch'; did you mean 'dreambench'"),
        ({"split": "n2"}, "unknown split 'n2' of toyworld; did you mean 'n1"),
        ({"subjects": ["rainboot"]}, "unknown subject 'rainboot' of toyworld; did you mean 'rain_"),
        (
            {"prompts": ["in-jungle"]},
            "unknown prompt 'in-jungle' of toyworld; did you mean 'in-the",
        ),
        ({"scoring": {"metrics": ["vendy"]}}, "unknown metric 'vendy'; did you mean 'vendi'"),
        ({"scoring": {"image_encoders": ["efficientnet"]}}, "did you mean 'efficientnet-lite0'"),
        ({"scoring": {"text_encoders": ["toyclip"]}}, "unknown encoder 'toyclip'; did you me"),
        (
            {"prompts": ["wearing-a-red-hat"], "subjects": ["rain_boot"]},
            "prompts: none of the chosen ones is for objects",
        ),
        (
            {"dataset": "dreambench", "subjects": ["dog6"], "methods": [{"name": "oracle"}]},
            "method 'oracle' needs a data set that can draw the right answer",
        ),
    ],
)
def test_an_unknown_name_is_one_line(small: Small, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        plan(small(**change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_backbone_is_refused(small: Small, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no model_index\.json"):
        plan(small(backbone=str(tmp_path)))


def test_missing_photos_are_found_before_any_training(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMBENCH_ROOT", str(tmp_path))
    cells = plan(small(dataset="dreambench", subjects=["dog6"]))
    with pytest.raises(UserError, match="tbbench data fetch dreambench"):
        check_ready(cells)


@pytest.mark.parametrize("content", ["def broken(:", "import no_such_module"])
def test_a_method_that_does_not_load_is_one_line(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    import methods

    (tmp_path / "my_plugin.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("mine", "my_plugin:Mine", methods.ENTRY_POINT_GROUP)
    monkeypatch.setattr(methods, "entry_points", lambda group: [entry])
    with pytest.raises(UserError, match=r"method 'mine' does not load: \w+Error: "):
        plan(small(methods=[{"name": "mine"}]))


@pytest.mark.parametrize("name", ready_runs())
def test_every_ready_run_can_be_planned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the toy backbone in the place of those that are downloaded or built; no encoder comes
    from the hub."""
    monkeypatch.setattr("benchmark.plan.encoder_revision", lambda name: "0" * 12)
    config = load_config(name, ["backbone=toy"])
    cells = plan(config)
    assert {cell.method for cell in cells} == {entry.name for entry in config.methods}


def test_other_subjects_photos_count_where_a_metric_looks_at_them(small: Small) -> None:
    """Only then are they part of the key; a cell's own photos are never among them."""
    plain = plan(small(subjects=["rain_boot"]))[0]
    scoring = {"metrics": ["copying"], "image_encoders": ["toy-clip"], "text_encoders": []}
    cell = plan(small(subjects=["rain_boot"], scoring=scoring))[0]
    assert plain.others == {}
    world = ToyWorld()
    names = [name for name in world.subject_names() if name != "rain_boot"]
    assert dict(cell.others) == {
        f"{name}/{photo}": sha
        for name in names
        for photo, sha in world.facts(name).checksums.items()
    }
    assert {photo.size for photo in other_photos(cell)} == {(64, 64)}
    assert len(other_photos(cell)) == len(cell.others)


def test_a_field_that_came_later_leaves_the_keys_of_earlier_runs_alone(small: Small) -> None:
    (cell,) = plan(small(methods=[{"name": "base"}]))
    earlier = {name: value for name, value in cell.to_json().items() if name not in LATER}
    assert cell_key(earlier) == cell.key
    assert replace(cell, probes={"class": {"a dog": 8}}).key != cell.key


def test_one_subject_first_makes_cells_that_the_whole_run_keeps() -> None:
    one = plan(load_config("quickstart", ['subjects=["spotted_dog"]']))
    assert len(one) == 7
    assert {cell.key for cell in one} < {cell.key for cell in plan(load_config("quickstart"))}
