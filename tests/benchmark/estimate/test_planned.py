"""A run's predictions: the rows they become, and what becomes of a run without them."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from benchmark.atomic import SEAL, digest, write_json
from benchmark.bundle.archive import read_zip, zip_bytes
from benchmark.bundle.check import check_bundle
from benchmark.bundle.pack import pack
from benchmark.collect import collect
from benchmark.estimate import Question, planned, predict
from benchmark.estimate.planned import (
    FILE,
    contradictions,
    predict_trainings,
    question_of,
    read_trainings,
    training_id,
    training_of,
)
from benchmark.plan import plan
from benchmark.runner import describe_run, run_benchmark
from benchmark.store import Run
from reports.cost_figures import COSTS, cost_cells, cost_head
from reports.fact_tables import costs_in_cells
from reports.format import MISSING
from tests.benchmark.bundle.forging import signed

INVERSION = {"name": "textual-inversion", "preset": "toy"}
FEWER = INVERSION | {"settings": {"batch_size": 2}}
METHODS = [{"name": "base"}, FEWER]
SUBJECTS = ["spotted_dog", "rain_boot"]
MEASURES = ("peak_live_bytes", "flops_per_step")


def run_quietly(config, path):
    said = StringIO()
    outcome = run_benchmark(config, path, Console(file=said, width=300))
    return outcome, said.getvalue()


def predicted(run):
    costs = run.costs()
    return costs[costs.measure.isin(MEASURES)]


def tables(run):
    return {path.name: path.read_bytes() for path in run.path.glob("*.parquet")}


@pytest.mark.slow
def test_every_training_has_its_prediction_beside_what_was_measured(small, tmp_path):
    config = small(methods=METHODS, subjects=SUBJECTS)
    outcome, said = run_quietly(config, tmp_path / "run")
    run = outcome.run
    assert outcome.failures == []
    assert "predicting peak memory and FLOPs of 1 training\n" in said  # of two cells
    question = Question(
        method="textual-inversion",
        preset="toy",
        backbone=config.backbone,
        precision="fp32",
        settings={"batch_size": 2},
    )
    expected = predict(question)
    rows = predicted(run)
    assert set(rows.method) == {"textual-inversion"}
    assert set(rows.stage) == {"train"}
    assert set(rows.subject) == set(SUBJECTS)
    by = dict(list(rows.groupby("measure")))
    for name, value, unit, kind in (
        ("peak_live_bytes", expected.peak_bytes, "B", "predicted"),
        ("flops_per_step", expected.flops_per_step, "FLOP", "analytic"),
    ):
        assert by[name].value.tolist() == [value, value]
        assert set(by[name].unit) == {unit}
        assert set(by[name].kind) == {kind}
    (answer,) = read_trainings(run.path).values()
    assert answer["reason"] is None
    assert answer["batch"] == 2
    assert list(contradictions(read_trainings(run.path))) == []
    # The report's column for it, and none where nothing trains.
    cells = cost_cells(run.costs(), COSTS["peak_memory_predicted"])
    assert cells["textual-inversion"].value == expected.peak_bytes
    assert cells["textual-inversion"].kind == "predicted"
    assert cells["base"].number == MISSING
    table = costs_in_cells(run.costs())
    place = [head.title for head in table.heads].index("peak memory (predicted)")
    assert cost_head(run.costs(), COSTS["peak_memory_predicted"]).title == "peak memory (predicted)"
    assert expected.peak_bytes in [row[place].value for row in table.rows()]
    # Opened again it answers nothing anew; without the file it does, and the tables are the same.
    whole = tables(run)
    again, said = run_quietly(config, run.path)
    assert not again.changed
    assert "predicting" not in said
    (run.path / FILE).unlink()
    assert collect(run), "the tables do not notice that the predictions are gone"
    assert len(predicted(run)) == 0
    again, said = run_quietly(config, run.path)
    assert again.changed
    assert "predicting" in said
    assert tables(run) == whole
    a_changed_prediction_in_a_bundle_is_named(run, tmp_path)


def a_changed_prediction_in_a_bundle_is_named(run, tmp_path):
    pack(run, tmp_path / "whole.zip", [])
    checked = check_bundle(tmp_path / "whole.zip")
    assert checked.differences == ()
    assert checked.study.costs.equals(run.costs())
    files = read_zip(tmp_path / "whole.zip")
    record = json.loads(files[FILE])
    (answer,) = record["trainings"].values()
    for name in MEASURES:
        value = answer[name]
        answer[name] = value // 2
        sealed = {key: part for key, part in record.items() if key != SEAL}
        sealed[SEAL] = digest(sealed)
        for content, says in ((sealed, f"{name} is {value // 2}"), (record, "its seal is another")):
            forged = signed(files | {FILE: json.dumps(content).encode()})
            (tmp_path / "forged.zip").write_bytes(zip_bytes(forged))
            lines = check_bundle(tmp_path / "forged.zip").differences
            assert any(line.startswith(f"{FILE}: ") and says in line for line in lines)
            costs = [line for line in lines if line.startswith("costs.parquet: ")]
            assert costs
            assert content is record or any(f"train {name}" in line for line in costs)
        answer[name] = value
    unsaid = signed({name: content for name, content in files.items() if name != FILE})
    (tmp_path / "gone.zip").write_bytes(zip_bytes(unsaid))
    assert check_bundle(tmp_path / "gone.zip").differences, "predictions were left out unnoticed"


def test_a_prediction_whose_figures_have_changed_is_made_again(small, tmp_path, monkeypatch):
    """Else the next one that is added would seal the changed figure."""
    config = small(methods=[INVERSION])
    cells = plan(config)
    describe_run(config, tmp_path, cells, {})
    run = Run.open(tmp_path)
    write_json(run.folder(cells[0].key).path / "checkpoint.json", {})
    monkeypatch.setattr(planned, "_answer", lambda cell: {"reason": None, "peak_live_bytes": 123})
    console = Console(file=StringIO())
    predict_trainings(run, console)
    whole = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(whole.replace("123", "923"))
    assert read_trainings(tmp_path) == {}
    predict_trainings(run, console)
    assert (tmp_path / FILE).read_text() == whole


@pytest.mark.slow
def test_a_training_that_cannot_be_predicted_leaves_the_run_done(small, tmp_path, monkeypatch):
    def refuse(question):
        raise RuntimeError("data-dependent\n  code")

    monkeypatch.setattr(planned, "predict", refuse)
    outcome, said = run_quietly(small(methods=METHODS), tmp_path / "run")
    assert outcome.failures == []
    assert set(outcome.run.cells().status) == {"done"}
    assert len(predicted(outcome.run)) == 0
    (answer,) = read_trainings(outcome.run.path).values()
    assert answer["reason"] == "RuntimeError: data-dependent code"
    assert "textual-inversion (toy): not predicted: RuntimeError: data-dependent code" in said
    table = cost_cells(outcome.run.costs(), COSTS["peak_memory_predicted"])
    assert table["textual-inversion"].number == MISSING
    # What was refused is not tried each time.
    assert not run_quietly(small(methods=METHODS), outcome.run.path)[0].changed
    pack(outcome.run, tmp_path / "whole.zip", [])
    assert check_bundle(tmp_path / "whole.zip").differences == ()


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, {}),
        ({"steps": 9}, {}),
        ({"precision": "bf16"}, {"precision": "bf16"}),
        ({"attention": "math"}, {"attention": "math"}),
        ({"optimizer": "foreach"}, {"optimizer": "foreach"}),
        ({"gradient_checkpointing": True}, {"checkpointing": True}),
        ({"accumulation": 3}, {"accumulation": 3}),
        ({"resolution": 16}, {"resolution": 16}),
    ],
)
def test_the_question_is_the_cells_own(small, changes, asked):
    (plain,) = plan(small(methods=[INVERSION]))
    (cell,) = plan(small(methods=[FEWER], training=changes))
    expected = Question(
        method="textual-inversion",
        preset="toy",
        backbone=cell.backbone,
        resolution=32,
        precision="fp32",
        settings={"batch_size": 2},
    )
    assert question_of(cell) == replace(expected, **asked)
    assert question_of(plain).settings == {}
    # Training for longer is the same question; anything else is another one.
    (short,) = plan(small(methods=[FEWER]))
    same = training_id(training_of(short)) == training_id(training_of(cell))
    assert same == (set(changes) <= {"steps"})


def test_an_optimizer_that_cannot_be_predicted_is_a_reason(small, tmp_path):
    config = small(methods=[INVERSION], training={"optimizer": "8bit"})
    (cell,) = plan(config)
    said = StringIO()
    run = run_of(config, cell, tmp_path / "run")
    predict_trainings(run, Console(file=said, width=300))
    (answer,) = read_trainings(run.path).values()
    assert "unknown optimizer '8bit'" in answer["reason"]
    assert "peak_live_bytes" not in answer


def run_of(config, cell, path):
    describe_run(config, path, [cell], {})
    run = Run.open(path)
    folder = run.folder(cell.key).path
    folder.mkdir(parents=True)
    (folder / "checkpoint.json").write_text("{}")
    return run


def test_accumulation_lowers_the_peak_and_shows_as_many_pictures(
    tiny_backbone, monkeypatch, tmp_path
):
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))
    whole, parts = (
        predict(
            Question(
                method="textual-inversion",
                preset="toy",
                backbone=str(tiny_backbone),
                batch=8,
                precision="fp32",
                accumulation=count,
            )
        )
        for count in (1, 4)
    )
    assert parts.batch == whole.batch == 8
    assert parts.flops["unet"] == whole.flops["unet"]
    assert parts.peak_split["activations"] < 0.6 * whole.peak_split["activations"]
