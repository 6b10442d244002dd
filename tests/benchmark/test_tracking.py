"""Trackers: what they are told, and that nothing they do ends a cell or changes a result."""

import json
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmark import tracking
from benchmark.config import load_config
from benchmark.errors import UserError
from benchmark.executors import Job
from benchmark.plan import plan
from benchmark.runner import run_benchmark
from benchmark.tracking import Tracking, check_trackers
from benchmark.tracking.record import CellRecord
from benchmark.tracking.trackers import open_tracker

SECRET = "a-password-that-nobody-may-see"
SCORED = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"], "text_encoders": []}
RECORD = CellRecord(
    key="0123456789abcdef",
    label="textboost · dog · seed 0",
    status="done",
    about={"method": "text/../boost", "subject": "dog", "settings.rate": 0.5},
    losses=(0.5, 0.25),
    numbers={"cost/train/wall_seconds": 3.0, "score/fidelity/clip/seen": 0.75},
)


class Watching:
    def __init__(self) -> None:
        self.ends: list[int] = []

    def started(self, job: Job) -> None: ...

    def progressed(self, job: Job, stage: str, done: int, total: int) -> None: ...

    def ended(self, job: Job, exit_code: int) -> None:
        self.ends.append(exit_code)

    def waiting(self, jobs: int) -> None: ...


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)


def test_tensorboard_has_every_number(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    open_tracker("tensorboard", tmp_path).log(RECORD)
    (folder,) = (tmp_path / "tracking" / "tensorboard").iterdir()
    assert folder.name == "text-..-boost-dog-0123456789abcdef"
    read = EventAccumulator(str(folder)).Reload()
    assert [(e.step, e.value) for e in read.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    for name, value in RECORD.numbers.items():
        assert [e.value for e in read.Scalars(name)] == [value]


def test_mlflow_has_every_number(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    failed = CellRecord("k", "other", "failed", RECORD.about, (), {})
    for _ in range(2):  # a run that goes on finds its experiment
        tracker = open_tracker("mlflow", tmp_path)
        tracker.log(RECORD)
    tracker.log(failed)
    client = MlflowClient((tmp_path / "tracking" / "mlflow").as_uri())
    experiment = client.get_experiment_by_name(tmp_path.name)
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.status for run in runs) == ["FAILED", "FINISHED", "FINISHED"]
    done = next(run for run in runs if run.info.status == "FINISHED")
    assert done.data.params["settings.rate"] == "0.5"
    assert done.data.metrics == {"loss": 0.25, **RECORD.numbers}
    history = client.get_metric_history(done.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(1, 0.5), (2, 0.25)]


@pytest.mark.slow
def test_wandb_stays_offline_and_writes_no_secret(tmp_path: Path) -> None:
    import wandb

    open_tracker("wandb", tmp_path).log(RECORD)
    wandb.teardown()  # Its other process writes the file, and may still be at it under load.
    files = [f for f in (tmp_path / "tracking").rglob("*") if f.is_file()]
    (kept,) = [f for f in files if f.suffix == ".wandb"]
    assert kept.parent.name.startswith("offline-run-")
    content = kept.read_bytes()
    for text in ("score/fidelity/clip/seen", "0.75", "settings.rate", RECORD.label):
        assert text.encode() in content
    assert not [f.name for f in files if SECRET.encode() in f.read_bytes()]


def test_one_that_fails_is_left_out_with_one_line(tmp_path: Path) -> None:
    class Broken:
        def log(self, record: CellRecord) -> None:
            raise RuntimeError(f"no answer with {SECRET}")

    said: list[str] = []
    watching = Watching()
    with Tracking(["mlflow"], tmp_path, watching, said.append, lambda *_: Broken()) as tracked:
        for key in "ab":
            tracked.ended(job(key), 0)
    assert said == ["mlflow: RuntimeError: no answer with ***; the run goes on without it"]
    assert watching.ends == [0, 0]


def test_one_that_hangs_does_not_keep_the_run(tmp_path: Path) -> None:
    free = threading.Event()

    class Hanging:
        def log(self, record: CellRecord) -> None:
            free.wait()

    said: list[str] = []
    tracked = Tracking(["wandb"], tmp_path, Watching(), said.append, lambda *_: Hanging(), 0.05)
    with tracked:
        tracked.ended(job("a"), 0)
    assert said == ["wandb: still busy after 0.05 s; left alone"]
    free.set()


def test_one_that_is_missing_or_unknown_is_refused_before_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(tracking.MODULES, "wandb", "no_such_package")
    check_trackers(["tensorboard"])
    with pytest.raises(UserError, match=r"'wandb' .* pip install 'textboost-bench\[wandb\]'"):
        check_trackers(["tensorboard", "wandb"])
    with pytest.raises(UserError, match="comet"):
        load_config("quickstart", ['tracking.to=["comet"]'])


@pytest.mark.slow
def test_a_run_is_the_same_with_trackers_even_a_broken_one(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "no-such-scheme://nowhere")
    plain = small(scoring=SCORED)
    tracked = small(scoring=SCORED, tracking={"to": ["tensorboard", "mlflow"]})
    assert [cell.key for cell in plan(plain)] == [cell.key for cell in plan(tracked)]
    console = Console(record=True, width=200, file=open("/dev/null", "w"))  # noqa: SIM115
    outcome = run_benchmark(tracked, tmp_path / "tracked", console)
    assert not outcome.failures
    lines = [line for line in console.export_text().splitlines() if line.startswith("mlflow:")]
    assert len(lines) == 1
    assert lines[0].rstrip().endswith("the run goes on without it")
    folders = sorted((tmp_path / "tracked" / "tracking" / "tensorboard").iterdir())
    assert len(folders) == outcome.cells
    for folder in folders:
        key = folder.name[-16:]
        cell = outcome.run.folder(key)
        read = EventAccumulator(str(folder)).Reload()
        losses = cell.losses()["losses"]
        if losses:
            kept = [e.value for e in read.Scalars("loss")]
            assert kept == pytest.approx(losses, rel=1e-6)
        costs = json.loads((cell.path / "cost.json").read_text())
        wall = next(c for c in costs if (c["stage"], c["measure"]) == ("generate", "wall_seconds"))
        (told,) = read.Scalars("cost/generate/wall_seconds")
        assert math.isclose(told.value, wall["value"], rel_tol=1e-6)
        assert any(name.startswith("score/fidelity/efficientnet-lite0/") for name in tags(read))


def tags(read: Any) -> Sequence[str]:
    found: Sequence[str] = read.Tags()["scalars"]
    return found


def job(key: str) -> Job:
    about = dict.fromkeys(("method", "preset", "backbone", "dataset", "split", "subject"), "x")
    cell = {**about, "train_seed": 0, "settings": {}}
    return Job(key, key, "run", cell, 1, 1, 1)
