"""TensorBoard, Weights & Biases and MLflow, each by its own thin interface.

What they write lies under `tracking/` in the run's folder. Nothing leaves the machine unless the
user's environment says so: WANDB_MODE=online, or an MLFLOW_TRACKING_URI of a server. The libraries'
reports about their own use are turned off where the user has not set them.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.tracking.record import CellRecord

if TYPE_CHECKING:
    from benchmark.tracking import Tracker

MLFLOW_BATCH = 1000
"""So many metrics MLflow takes at a time."""


def open_tracker(name: str, run: Path) -> Tracker:
    """The tracker `name` for the run in the folder `run`. Whatever goes wrong is raised."""
    folder = (run / "tracking" / name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    opened: Tracker = _CLASSES[name](folder, run.resolve().name)
    return opened


def _file_name(record: CellRecord) -> str:
    """Of one cell, readable and safe: names of plug-ins are anybody's."""
    parts = [record.about["method"], record.about["subject"], record.key]
    return re.sub(r"[^A-Za-z0-9._-]", "-", "-".join(str(part) for part in parts)).lstrip(".")


class TensorBoard:
    """A folder of event files per cell."""

    def __init__(self, folder: Path, project: str) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter
        self._folder = folder

    def log(self, record: CellRecord) -> None:
        """Writes the cell as a TensorBoard log of its own."""
        with self._writer(str(self._folder / _file_name(record))) as writer:
            about = json.dumps({"status": record.status, **record.about}, indent=2)
            writer.add_text("cell", f"```\n{about}\n```")
            for step, loss in enumerate(record.losses, 1):
                writer.add_scalar("loss", loss, step)
            for name, value in record.numbers.items():
                writer.add_scalar(name, value, 0)


class WeightsAndBiases:
    """A run of W&B per cell, grouped by the benchmark's run; offline unless WANDB_MODE says else.

    Nothing is gathered of the machine, the code, the command line or the console.
    """

    def __init__(self, folder: Path, project: str) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self._wandb: Any = wandb
        self._folder, self._group = folder, project
        self._project = os.environ.get("WANDB_PROJECT") or project
        self._mode = os.environ.get("WANDB_MODE") or "offline"

    def log(self, record: CellRecord) -> None:
        """Writes the cell as a run of Weights & Biases."""
        settings = self._wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            silent=True,
            x_disable_meta=True,
            x_disable_stats=True,
        )
        run = self._wandb.init(
            project=self._project,
            group=self._group,
            name=record.label,
            config={"key": record.key, "status": record.status, **record.about},
            dir=str(self._folder),
            mode=self._mode,
            reinit="create_new",
            settings=settings,
        )
        for step, loss in enumerate(record.losses, 1):
            run.log({"loss": loss}, step=step)
        run.summary.update(dict(record.numbers))
        run.finish(exit_code=0 if record.status == "done" else 1)


class MLflow:
    """A run of MLflow per cell, in the experiment of the benchmark's run."""

    def __init__(self, folder: Path, project: str) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        server = os.environ.get("MLFLOW_TRACKING_URI")
        if not server:
            # MLflow would rather have a database, which mlflow-skinny has no driver for.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        self._metric: Any = Metric
        self._param: Any = Param
        self._client: Any = MlflowClient(server or folder.as_uri())
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or project
        known = self._client.get_experiment_by_name(name)
        self._experiment = known.experiment_id if known else self._client.create_experiment(name)

    def log(self, record: CellRecord) -> None:
        """Writes the cell as a run of the MLflow experiment."""
        tags = {"key": record.key, "status": record.status}
        run = self._client.create_run(self._experiment, run_name=record.label, tags=tags)
        id = run.info.run_id
        now = int(time.time() * 1000)
        metrics = [self._metric("loss", loss, now, n) for n, loss in enumerate(record.losses, 1)]
        metrics += [self._metric(name, value, now, 0) for name, value in record.numbers.items()]
        params = [self._param(name, str(value)) for name, value in record.about.items()]
        self._client.log_batch(id, params=params)
        for first in range(0, len(metrics), MLFLOW_BATCH):
            self._client.log_batch(id, metrics=metrics[first : first + MLFLOW_BATCH])
        done = record.status == "done"
        self._client.set_terminated(id, "FINISHED" if done else "FAILED")


_CLASSES: dict[str, Any] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
